/** The system itself: what it is, of which family, on what. */
import { countOf, orNull, pairsOf, titledOf, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import type { LayoutSystem } from './layout-schema';

const FAMILIES: readonly [LayoutSystem['family'], readonly string[]][] = [
  ['debian', ['debian', 'ubuntu']],
  ['redhat', ['rhel', 'fedora', 'centos', 'rocky', 'almalinux', 'ol', 'amzn']],
  ['suse', ['suse', 'opensuse', 'sles', 'opensuse-leap', 'opensuse-tumbleweed']],
];
const ARCHITECTURES = ['x86_64', 'aarch64'];

export function readSystem(reading: Reading): LayoutSystem {
  const os = pairsOf(reading.text('os-release'));
  const value = (key: string) => (os.get(key) ?? '').replace(/^(["'])(.*)\1$/, '$2');
  const like = value('ID_LIKE')
    .split(/\s+/)
    .filter((word) => word !== '');
  const id = value('ID');
  const [kernel = '', architecture = ''] = (reading.word('uname') ?? '').split(' ');
  if (!ARCHITECTURES.includes(architecture))
    reading.limit({
      what: architecture === '' ? 'the processor' : architecture,
      why: WHY.architecture,
      weight: 'fatal',
    });
  const enforce = reading.word('selinux');
  const configured = pairsOf(reading.text('config:/etc/selinux/config')).get('SELINUX');
  return {
    os: { id, like, version: value('VERSION_ID'), name: value('PRETTY_NAME') },
    family: FAMILIES.find(([, names]) => [id, ...like].some((name) => names.includes(name)))?.[0] ?? 'other',
    architecture,
    kernel,
    machineId: reading.word('machine-id'),
    memoryBytes: (countOf(/^\d+/.exec(titledOf(reading.text('meminfo')).get('MemTotal') ?? '')?.[0]) ?? 0) * 1024,
    virtual: virtualOf(reading),
    modules: reading
      .lines('modules')
      .map((line) => line.split(' ')[0] ?? '')
      .sort(),
    selinux:
      enforce === '1' ? 'enforcing' : enforce === '0' ? 'permissive' : configured === undefined ? null : 'disabled',
  };
}

/** `systemd-detect-virt` says `none`, with exit 1, on real hardware; where it is missing the firmware's own words do. */
function virtualOf(reading: Reading): string | null {
  const said = reading.fact('virt');
  if (said !== undefined && said.exit !== 127) {
    const word = said.out.trim();
    return word === 'none' || word === '' ? null : word;
  }
  const dmi = pairsOf(reading.text('dmi'));
  const made = `${dmi.get('sys_vendor') ?? ''} ${dmi.get('product_name') ?? ''}`;
  const known: readonly [RegExp, string][] = [
    [/QEMU|KVM/i, 'kvm'],
    [/VMware/i, 'vmware'],
    [/VirtualBox/i, 'oracle'],
    [/Microsoft Corporation Virtual/i, 'microsoft'],
    [/Xen/i, 'xen'],
    [/Amazon EC2/i, 'amazon'],
  ];
  return orNull(known.find(([pattern]) => pattern.test(made))?.[1]);
}
