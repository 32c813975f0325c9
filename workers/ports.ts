/** Ports of the embedded server: chosen once, kept, and chosen anew only when somebody else has taken one. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { z } from 'zod';
import { readRecord, writeRecord } from './processes';

/** The server's frontend (gRPC) and the web interface, both on loopback. */
export const portsSchema = z.object({ port: z.int().min(1).max(65535), uiPort: z.int().min(1).max(65535) });
export type Ports = z.infer<typeof portsSchema>;

/** Below Linux's range of ephemeral ports, and not Temporal's own 7233 and 8233. */
const FIRST_PORT = 17_233;
/** Not above UI_OFFSET: no frontend's port is another's web interface. */
const CHOICES = 500;
const UI_OFFSET = 1_000;

/**
 * The kept ports when both are free, else the next free pair, which is kept from then on. Where the search begins follows from the file's
 * place: were it the same for all, the engine of another director on this machine would take the port of a server that is being restarted,
 * and this one's workers would do the other's work, with keys that know none of its hosts.
 * @throws when no pair of {@link CHOICES} is free
 */
export async function choosePorts(file: string): Promise<Ports> {
  const kept = readRecord(file, portsSchema);
  if (kept !== undefined && (await bothFree(kept))) return kept;
  const first = createHash('sha256').update(file).digest().readUInt32BE() % CHOICES;
  for (let nth = 0; nth < CHOICES; nth += 1) {
    const port = FIRST_PORT + ((first + nth) % CHOICES);
    const ports = { port, uiPort: port + UI_OFFSET };
    if (await bothFree(ports)) {
      writeRecord(file, ports);
      return ports;
    }
  }
  throw new Error(`no free pair of ports from ${FIRST_PORT} to ${FIRST_PORT + CHOICES - 1}`);
}

async function bothFree({ port, uiPort }: Ports): Promise<boolean> {
  return (await isFree(port)) && (await isFree(uiPort));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => {
      resolve(false);
    });
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => {
        resolve(true);
      });
    });
  });
}
