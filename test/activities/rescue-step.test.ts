/** What a step on a rescue system tells whoever has to answer. */
import { askingAgain } from '../../activities/rescue-step';
import { HostError } from '../../hosts/errors';
import { liveAt, rescueAt } from '../../hosts/rescue-host';
import { bench, FENCE, run } from './support/run';
import { armCommand } from '../../planning/recover-words';

const HOST = { name: 'prod-web-1', short: 'web-1', address: '192.0.2.1', port: 22, user: 'resurgo' };

test.each([
  ['our own media', rescueAt({ host: HOST, at: '192.0.2.7' }), '--at 192.0.2.7:22 --arm-only'],
  [
    'any rescue Linux',
    liveAt({ host: HOST, at: '[2001:db8::7]:2222' }).rescue,
    '--at [2001:db8::7]:2222 --live --arm-only',
  ],
])('a passphrase that does not open: the command that gives another is one for %s', (_name, host, words) => {
  const wrong = new HostError({ host: host.name, verb: 'luks-check', code: 'needs-passphrase', message: 'no' });
  const { next } = askingAgain({ error: wrong, rescue: { host, bootId: 'b' } }) as HostError;
  // By the runbook's name: the shorter one of the backups is none that a command takes.
  expect(next).toContain(`\`resurgo recover prod-web-1 ${words}\``);
});

test('the run has its own command for it, which is told as it is', () => {
  const host = rescueAt({ host: HOST, at: '192.0.2.7' });
  const error = new HostError({ host: host.name, verb: 'luks-format', code: 'needs-passphrase', message: 'none' });
  const { next } = askingAgain({ error, rescue: { host, bootId: 'b', arm: 'resurgo recover x' } }) as HostError;
  expect(next).toContain('give the right one: `resurgo recover x` asks for it');
});

test('that command names the group and the backup of the run, and the volumes whose passphrase is typed twice again', () => {
  const rescue = rescueAt({ host: HOST, at: '192.0.2.7' });
  const command = armCommand({ rescue, newKeys: ['cr_root', "it's"], group: 'portal', id: '20261129_120000' });
  expect(command).toBe(
    "resurgo recover prod-web-1 --at 192.0.2.7:22 --group portal --backup 20261129_120000 --new-key cr_root --new-key 'it'\\''s' --arm-only",
  );
});

test('media that were booted anew and whose hostkit knows less: that they were is what is told', async () => {
  const rescue = { host: rescueAt({ host: HOST, at: '192.0.2.7' }), bootId: 'one' };
  const input = { fence: FENCE, rescue, kind: 'new-verify' as const, args: { tree: 'web-1@+' } };
  const tried = (bootId: string) => {
    const it = bench({
      intercept: ({ host, verb }) => {
        if (verb === 'probe') return { bootId };
        throw new HostError({ host, verb, code: 'bad-request', message: "verb job.start has no key 'boot'" });
      },
    });
    return run(it, it.activities.newSystem, input);
  };
  await expect(tried('two')).rejects.toThrow(/\[rebooted\]/);
  await expect(tried('one')).rejects.toThrow(/\[bad-request\]/);
});
