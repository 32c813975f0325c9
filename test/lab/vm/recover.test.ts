/** From bare metal, end to end: install, fill, back up, lose, boot the rescue medium on blank disks, recover, boot by firmware, compare. */
import { describeLab } from '../support/describe-lab';
import { takeDown } from '../support/product';
import { biosExt4, uefiExt4 } from './support/layouts';
import { Recovery } from './support/recovery';

jest.setTimeout(3_600_000);

describeLab('recovery from bare metal', () => {
  test.each([
    ['UEFI, GPT, ext4', 'vmrecu', uefiExt4, 130],
    ['BIOS, GPT, ext4', 'vmrecb', biosExt4, 131],
  ])('%s: the machine boots by its firmware and holds every file', async (_, name, layout, number) => {
    const recovery = await Recovery.raise({ name, layout, number });
    try {
      const medium = await recovery.medium();
      const before = await recovery.portrait();
      await recovery.backup();
      const rescue = await recovery.replace({ medium, disks: layout.disks });
      const { state } = await recovery.recover(rescue);
      expect(state).toBe('Completed');
      await recovery.server.answers();
      expect(recovery.differences(before, await recovery.portrait())).toEqual([]);
    } finally {
      await takeDown(recovery.product);
    }
  });
});
