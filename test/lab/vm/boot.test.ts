/** The virtual lab itself: servers that were set up by hand boot by their firmware. */
import { raiseFleet } from '../support/fleet';
import type { Fleet } from '../support/fleet';
import { describeLab } from '../support/describe-lab';
import { installServer } from './support/install';
import { biosExt4, uefiExt4 } from './support/layouts';

describeLab('the virtual lab', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await raiseFleet({ name: 'vmboot', hosts: [{ name: 'target', disk: 'btrfs', docker: false }] });
  }, 600_000);
  afterAll(() => fleet.down(), 60_000);

  test.each([
    ['BIOS', biosExt4, 110],
    ['UEFI', uefiExt4, 111],
  ])(
    'a server on %s boots from its own disk and is on the network',
    async (firmware, layout, number) => {
      const { machine } = await installServer({ fleet, name: `web-${number}`, number, ...layout });
      await machine.start();
      await machine.answers();
      const { stdout } = await machine.ssh('test -d /sys/firmware/efi && echo UEFI || echo BIOS; findmnt -no FSTYPE /');
      expect(stdout.split('\n')).toEqual([firmware, 'ext4', '']);
      // The simulated hosts reach it, and it them.
      await fleet.exec('target', `timeout 5 bash -c '</dev/tcp/${machine.address}/22'`);
      await machine.kill();
    },
    1_500_000,
  );
});
