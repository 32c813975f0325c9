/** A tar.gz in memory (ustar): small trees of plain files, byte for byte the same for the same input. */
import { gzipSync } from 'node:zlib';

export interface TarFile {
  /** Relative, up to 100 bytes. */
  path: string;
  mode: number;
  content: Uint8Array;
}

const BLOCK = 512;

/** Packs files in the given order; folders are made by whoever unpacks. @throws RangeError for a path that does not fit */
export function packTarGz(files: readonly TarFile[]): Buffer {
  const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
  const blocks = [...folders].sort().map((path) => header({ path: `${path}/`, mode: 0o755, size: 0, type: '5' }));
  for (const { path, mode, content } of files) {
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    blocks.push(header({ path, mode, size: content.length, type: '0' }), Buffer.from(content), padding);
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]));
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function header({ path, mode, size, type }: { path: string; mode: number; size: number; type: '0' | '5' }): Buffer {
  if (Buffer.byteLength(path) > 100) throw new RangeError(`too long for the archive: ${path}`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(path, 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\0' + '00', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
