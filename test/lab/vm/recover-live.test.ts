/** From bare metal without our media: a rescue Linux of somebody else's make, which runs from memory. */
import { describeLab } from '../support/describe-lab';
import { takeDown } from '../support/product';
import { biosExt4 } from './support/layouts';
import { Recovery } from './support/recovery';

jest.setTimeout(3_600_000);

describeLab('a recovery by a running rescue Linux', () => {
  test('gets the hostkit sent along, and brings the machine back as it was', async () => {
    const recovery = await Recovery.raise({ name: 'vmlive', layout: biosExt4, number: 152 });
    try {
      const before = await recovery.portrait();
      await recovery.backup();
      const live = await recovery.replace({ medium: 'live', disks: biosExt4.disks });
      await live.answers();
      const { stdout } = await live.ssh('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; command -v resurgo || :');
      const [, fingerprint = ''] = stdout.split(' ');
      const ended = await recovery.recover(live, ['--live', '--fingerprint', fingerprint]);
      expect(ended.state).toBe('Completed');
      await recovery.server.answers();
      expect(recovery.differences(before, await recovery.portrait())).toEqual([]);
    } finally {
      await takeDown(recovery.product);
    }
  });
});
