/** What machines that start by network are told: iPXE scripts for each MAC, and a configuration of dnsmasq that leads to them. Pure. */
import { PlanningError } from './errors';

/** The names under which kernel and initramfs are served. */
export const KERNEL = 'vmlinuz';
export const INITRAMFS = 'initramfs.img';
/** Where iPXE begins. */
export const ENTRY = 'boot.ipxe';

export interface NetbootPlan {
  /** Whose rescue system it is. */
  host: string;
  /** The machines that may have it, as MAC addresses; none: every machine that asks. */
  macs: readonly string[];
  /** Further words of the kernel's command line. */
  append: readonly string[];
}

/** A MAC address in its one form, `52:54:00:12:34:56`. @throws PlanningError */
export function readMac(text: string): string {
  const mac = text.toLowerCase().replaceAll('-', ':');
  if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) return mac;
  throw refused(`"${text}" is no MAC address`, 'Write it like 52:54:00:12:34:56');
}

/** Words for the kernel. @throws PlanningError for what iPXE would read as something else */
export function readAppend(text: string): string[] {
  const words = text.split(' ').filter((word) => word !== '');
  for (const word of words) {
    // iPXE fills in `${…}` and takes `||`, `&&` and `#` for its own.
    if (!/^[\x21-\x7e]+$/.test(word) || word.includes('${') || ['||', '&&'].includes(word) || word.startsWith('#'))
      throw refused(
        `"${word}" can't be a word of the kernel's command line here`,
        'Use plain words like resurgo.ip=dhcp',
      );
  }
  return words;
}

/**
 * Every script by its name. Names in them are relative to where they came from, so they hold whatever address led to them; that is why all lie
 * in one folder.
 */
export function netbootScripts({ host, macs, append }: NetbootPlan): Map<string, string> {
  const start = [
    '#!ipxe',
    `echo Resurgo rescue system of ${host}`,
    // On UEFI the kernel looks for its initramfs by this name.
    ['kernel', KERNEL, `initrd=${INITRAMFS}`, 'console=tty0', 'console=ttyS0,115200', ...append].join(' '),
    `initrd --name ${INITRAMFS} ${INITRAMFS}`,
    'boot',
    '',
  ].join('\n');
  if (macs.length === 0) return new Map([[ENTRY, start]]);
  const choose = [
    '#!ipxe',
    'chain mac-${netX/mac:hexhyp}.ipxe || goto other',
    ':other',
    'echo ${netX/mac} is not among the machines that shall start the rescue system',
    // The firmware goes on with the next thing that it can start.
    'exit',
    '',
  ].join('\n');
  return new Map([[ENTRY, choose], ...macs.map((mac) => [`mac-${mac.replaceAll(':', '-')}.ipxe`, start] as const)]);
}

export interface DnsmasqPlan {
  macs: readonly string[];
  /** The card that it listens on, and this machine's address there. */
  card: string;
  address: string;
  netmask: string;
  port: number;
  /** Addresses that it gives out; without, another server on that network does, and this one only says what to start. */
  range?: { from: string; to: string };
  /** Where iPXE for firmware that has none lies: `undionly.kpxe` and `ipxe.efi`. */
  ipxeFolder: string;
}

/** dnsmasq's configuration: firmware → iPXE by TFTP → the scripts by HTTP. It answers the named machines alone, and no DNS. */
export function dnsmasqConfig({ macs, card, address, netmask, port, range, ipxeFolder }: DnsmasqPlan): string {
  const url = `http://${address}:${port}/${ENTRY}`;
  const known = macs.length === 0 ? '' : 'tag:resurgo,';
  const firmware =
    range === undefined
      ? [
          `pxe-service=${known}tag:!ipxe,x86PC,"Resurgo rescue system",undionly.kpxe`,
          `pxe-service=${known}tag:!ipxe,X86-64_EFI,"Resurgo rescue system",ipxe.efi`,
          `pxe-service=${known}tag:!ipxe,BC_EFI,"Resurgo rescue system",ipxe.efi`,
        ]
      : [
          'dhcp-match=set:bios,option:client-arch,0',
          'dhcp-match=set:efi,option:client-arch,7',
          'dhcp-match=set:efi,option:client-arch,9',
          `dhcp-boot=${known}tag:bios,tag:!ipxe,undionly.kpxe`,
          `dhcp-boot=${known}tag:efi,tag:!ipxe,ipxe.efi`,
        ];
  return [
    `# Starts the Resurgo rescue system by network: dnsmasq --keep-in-foreground --conf-file=THIS_FILE`,
    range === undefined
      ? '# Beside the DHCP server of this network, which gives out the addresses (proxy DHCP).'
      : '# As the DHCP server of this network: there must be no other one.',
    'port=0',
    `interface=${card}`,
    'bind-interfaces',
    'log-dhcp',
    `dhcp-range=${range === undefined ? `${address},proxy,${netmask}` : `${range.from},${range.to},${netmask},1h`}`,
    ...macs.map((mac) => `dhcp-host=${mac},set:resurgo`),
    ...(macs.length === 0 ? [] : ['dhcp-ignore=tag:!resurgo']),
    '# iPXE says of itself that it is there: then, and only then, it gets the script.',
    'dhcp-match=set:ipxe,175',
    ...firmware,
    `dhcp-boot=${known}tag:ipxe,${url}`,
    'enable-tftp',
    `tftp-root=${ipxeFolder}`,
    '',
  ].join('\n');
}

function refused(message: string, next: string): PlanningError {
  return new PlanningError({ code: 'bad-plan', message, next, step: 'netboot' });
}
