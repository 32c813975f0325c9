/** The rescue system's drivers: what the buses name, also what they name late, and what waits on its bus. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SHELLS } from '../support';
import { useRescueShell } from './kit';

const DRIVERS = path.join(__dirname, '../../../hostkit/rescue/drivers.sh');

describe.each(SHELLS)('the drivers of a rescue system, in %s', (name) => {
  const shell = useRescueShell(name);

  /** What modprobe was asked for, call by call; `sleep` and what a device of the test does stand in for time. */
  function asked(sys: Record<string, string | null>, script: string): string[][] {
    const root = shell.files({
      run: null,
      'sys/devices': null,
      'bin/modprobe': `#!/bin/sh\nprintf '%s\\n' "$*" >>"\${0%/bin/modprobe}/asked"\nexit 1\n`,
      ...Object.fromEntries(Object.entries(sys).map(([file, text]) => [`sys/${file}`, text] as const)),
    });
    shell.run({
      parts: [],
      script: `at='${root}'; chmod 755 "$at/bin/modprobe"; set +e
. '${DRIVERS}'
drivers_sys="$at/sys" drivers_run="$at/run" drivers_modprobe="$at/bin/modprobe"
sleep() { echo "sleep $1" >>"$at/asked"; }
${script}
exit 0`,
    });
    return readFileSync(path.join(root, 'asked'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '));
  }
  const DISK = {
    'devices/pci/0/modalias': 'pci:v0000\n',
    'devices/pci/1/modalias': "dmi:svnMicro-StarInt'lCo.,Ltd:\n",
  };

  test('what devices name, whatever stands in a name', () => {
    expect(asked(DISK, 'rescue_drivers')).toEqual([['-abq', "dmi:svnMicro-StarInt'lCo.,Ltd:", 'pci:v0000']]);
  });

  test('what shows up late is seen at one of a few further looks', () => {
    const late = `rescue_drivers
looks=0
seen() { looks=$((looks + 1)); [ "$looks" != 3 ] || { mkdir "$at/sys/devices/usb"; echo usb:v0781 >"$at/sys/devices/usb/modalias"; }; }
rescue_drivers_late seen; echo "looks $looks" >>"$at/asked"`;
    const calls = asked({ 'devices/pci/0/modalias': 'pci:v0000\n' }, late);
    expect(calls.filter(([word]) => word === '-abq')).toEqual([
      ['-abq', 'pci:v0000'],
      ['-abq', 'pci:v0000', 'usb:v0781'],
    ]);
    const pauses = calls.filter(([word]) => word === 'sleep').map(([, seconds]) => Number(seconds));
    expect(calls.at(-1)).toEqual(['looks', String(pauses.length)]);
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
    expect(pauses.length).toBeGreaterThan(3);
    expect(pauses.reduce((sum, each) => sum + each, 0)).toBeLessThan(120);
  });

  test('what waits on a bus that is there: disks and keyboards on USB, cards, what a hypervisor offers', () => {
    const last = (bus: Record<string, null>): string[] | undefined =>
      asked({ ...DISK, ...bus }, 'rescue_drivers_first').at(-1);
    expect(last({})).toEqual(expect.arrayContaining(['-abq', 'sd_mod', 'af_packet']));
    expect(last({})).not.toContain('usb_storage');
    expect(last({ 'bus/usb': null })).toEqual(expect.arrayContaining(['usb_storage', 'uas', 'usbhid', 'hid_generic']));
    expect(last({ 'bus/mmc': null })).toContain('mmc_block');
    expect(last({ 'bus/vmbus': null })).toEqual(expect.arrayContaining(['hv_storvsc', 'hv_netvsc', 'hyperv_keyboard']));
  });
});
