/** A build of rescue media, for the tests of whoever reads build.json. */
import { createHash } from 'node:crypto';
import { RESCUE_VERSION, type RescueBuild, type RescueFileEntry } from '../../planning/rescue-media';

export const SAMPLE_HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2oj43KUYmituBZ7L5qNlPpxANB6iT1b9kHFA1a748Q';

export function sampleMedium({ name, content, pinned = false }: Sample): RescueFileEntry {
  return {
    name,
    bytes: Buffer.byteLength(content),
    sha256: createHash('sha256').update(content).digest('hex'),
    pinned,
  };
}

interface Sample {
  name: string;
  content: string | Buffer;
  pinned?: boolean;
}

/** Of app-1, booted; its files and who signs it are the test's. */
export function sampleBuild(over: Pick<RescueBuild, 'files'> & Partial<RescueBuild>): RescueBuild {
  return {
    ...{ resurgoRescue: RESCUE_VERSION, id: '20261121_013000', host: 'app-1', hostName: 'app-1' },
    ...{ kernel: '6.1.0-18', modules: 913, firmware: 40, chosen: 'common', network: 'captured' },
    ...{ hostKey: SAMPLE_HOST_KEY, secureBoot: true, builtAt: '2026-11-21T01:30:00.000Z' },
    ...{ layoutSha256: 'b'.repeat(64), verdict: 'booted', bootedAt: '2026-11-21T01:31:00.000Z', version: '0.1.0' },
    director: { id: 'director-test', publicKeyHex: 'a'.repeat(64) },
    ...over,
  };
}
