/** The page to keep beside a machine, word for word. */
import { sheetHtml, sheetMarkdown, type SheetFacts } from '../../cli/rescue-sheet-text';
import { HostError } from '../../hosts/errors';
import { golden } from '../planning/layout-machines';
import { useMemoryFleet } from './support/memory-fleet';
import { storeWithLayout } from './support/stored-layout';

const facts = (over: Partial<SheetFacts> = {}): SheetFacts => ({
  printedAt: new Date('2026-11-29T09:00:00.000Z'),
  host: {
    ...{ name: 'prod-web-1', short: 'web-1', address: '192.0.2.10', port: 22, user: 'resurgo', adminUser: 'root' },
    ...{ via: null, labels: [], restoreTo: [] },
  },
  group: 'portal',
  store: { name: 'main', host: 'prod-target', address: '192.0.2.2', place: 'tank/backup', kind: 'zfs' },
  layout: golden('uefi-ext4'),
  layoutFrom: 'what the host said when this was printed',
  fingerprints: [{ of: 'the rescue system of prod-web-1', fingerprint: 'SHA256:abc' }],
  media: null,
  backup: '20261121_013000',
  contacts: [{ name: 'Anna | Ops', role: 'decides', phone: '+49 30 1', mail: null }],
  notes: 'The key of the rack\nis with the porter.',
  runbookFile: '/etc/resurgo/fleet.yaml',
  director: 'director-0123456789ab',
  ...over,
});

it('is this page in Markdown', () => {
  expect(sheetMarkdown(facts())).toMatchSnapshot();
});

it('is this page in HTML', () => {
  expect(
    sheetHtml(facts({ layout: null, layoutFrom: 'it did not answer', contacts: [], notes: '' })),
  ).toMatchSnapshot();
});

it('S29 nothing of a hostile host leaves its line, its block or its element', () => {
  const layout = golden('uefi-ext4');
  layout.disks[0]!.model = '<script>x</script>\n```\n# no\u001b[31m';
  layout.network.interfaces[0]!.name = 'a|b';
  const page = sheetMarkdown(facts({ layout, notes: '```\n# gone' }));
  const outside = page.replace(/^ *(`{3,})$[\s\S]*?^ *\1$/gm, '');
  expect(outside).not.toContain('<script>');
  expect(outside).not.toMatch(/^# (?!Recovery)/m);
  expect(page).not.toMatch(/\u001b/);
  expect(outside).toContain('a\\|b');
  expect(sheetHtml(facts({ layout }))).not.toContain('<script>');
});

describe('encrypted volumes', () => {
  const luks = golden('luks2-lvm');
  const [volume] = luks.luks;

  it('says which there are, what opens them, and how it is given', () => {
    const page = sheetMarkdown(facts({ layout: luks }));
    const name = volume?.name ?? '?';
    expect(page).toContain('## Encrypted volumes');
    expect(page).toContain(`| ${name} | ${volume?.uuid ?? '?'} | 2 |`);
    expect(page).toContain(`recover prod-web-1 --at ADDRESS --passphrase ${name}=FILE`);
    expect(page).toContain(`recover prod-web-1 --at ADDRESS --new-key ${name}`);
    expect(sheetMarkdown(facts())).not.toContain('ncrypted');
  });

  it('S29 a name that a command can not hold is not put into one', () => {
    const layout = { ...luks, luks: luks.luks.map((each) => ({ ...each, name: 'x; rm -rf `id`' })) };
    const page = sheetMarkdown(facts({ layout }));
    expect(page).toContain(`--new-key ${volume?.uuid ?? '?'}`);
    expect(page).not.toMatch(/--(?:new-key|passphrase) x/);
  });
});

describe('the command', () => {
  const fleet = useMemoryFleet();

  it('prints what it can ask, names what it can not, and then exits 3', async () => {
    const ran = await fleet.run('rescue', 'sheet', 'app-1');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toContain('# Recovery of app-1');
    expect(ran.stdout).toContain('rescue media: NONE when this was printed');
    fleet.intercept = ({ verb, host }) => {
      if (verb === 'layout' && host === 'app-1') throw away();
      return undefined;
    };
    const dark = await fleet.run('rescue', 'sheet', 'app-1');
    expect([dark.code, dark.stderr]).toEqual([
      3,
      expect.stringContaining('missing on the page: its disks and its network: it is off\n'),
    ]);
    expect(dark.stdout).toContain('Its disks are not known here');
    expect(dark.stderr).toContain('no layout from a backup either: no backup holds a layout of app-1');
  });

  it('of a host that is gone it has the disks of the newest whole backup, and says which that is and of when', async () => {
    fleet.intercept = ({ verb, host }) => {
      if (verb === 'layout' && host === 'app-1') throw away();
      return undefined;
    };
    const seen = (capturedAt: string, serial: string) => {
      const layout = { ...golden('uefi-ext4'), host: 'app-1', capturedAt };
      layout.disks[0]!.serial = serial;
      return layout;
    };
    storeWithLayout({ fleet, id: '20261120_013000', layout: seen('2026-11-20T01:29:58.000Z', 'SERIAL-OLD') });
    storeWithLayout({ fleet, id: '20261121_013000', layout: seen('2026-11-21T01:29:58.000Z', 'SERIAL-WHOLE') });
    const partial = seen('2026-11-22T01:29:58.000Z', 'SERIAL-PARTIAL');
    storeWithLayout({ fleet, id: '20261122_013000', state: 'Partial', layout: partial });
    const dead = await fleet.run('rescue', 'sheet', 'app-1');
    expect([dead.code, dead.stderr]).toEqual([
      0,
      'app-1 tells nothing now (it is off): the page has its disks of backup 20261121_013000, 2026-11-21 01:29:58 UTC\n',
    ]);
    expect(dead.stdout).toContain(
      'From backup 20261121_013000 of portal, for which the host was looked at 2026-11-21 01:29:58 UTC: it did not answer when this was printed.',
    );
    expect(dead.stdout).toContain('SERIAL-WHOLE');
    storeWithLayout({ fleet, id: '20261123_013000', layout: partial, named: { sha256: 'd'.repeat(64) } });
    const forged = await fleet.run('rescue', 'sheet', 'app-1');
    expect([forged.code, forged.stderr]).toEqual([3, expect.stringContaining('is not the one that was signed')]);
    expect(forged.stdout).not.toContain('SERIAL-');
  });
});

function away(): HostError {
  return new HostError({ host: 'app-1', verb: 'layout', code: 'unreachable', message: 'it is off' });
}
