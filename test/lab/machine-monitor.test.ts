/** The monitor of a virtual machine that hangs: whoever asks it is told, and does not wait for ever. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Fleet } from './support/fleet';
import { Machine } from './vm/support/machine';

test.each([
  ['one that takes it', true],
  ['one that hangs', false],
])(
  '%s',
  async (_, answers) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'resurgo-monitor-'));
    const taken: string[] = [];
    // Without an answer, and without an end of its own.
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('data', (data) => taken.push(data.toString()));
      if (answers) socket.on('end', () => socket.end('(qemu) '));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(path.join(folder, 'monitor'), resolve));
    try {
      const fleet = { name: 'none', directorAddress: '192.0.2.1' } as Fleet;
      const machine = Object.assign(new Machine({ fleet, name: 'web-1', number: 100, disks: [] }), { folder });
      const asked = machine.monitor('device_del disk0', 300);
      if (answers) await expect(asked).resolves.toBeUndefined();
      else await expect(asked).rejects.toThrow('machine web-1: no answer to "device_del disk0" within 300 ms');
      expect(taken).toEqual(['device_del disk0\n']);
    } finally {
      server.close();
      rmSync(folder, { recursive: true });
    }
  },
  10_000,
);
