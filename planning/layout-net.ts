/** The network, of `ip -j`: hardware, VLANs, bonds and bridges, and which tool configured them. */
import { z } from 'zod';
import { orNull, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import type { LayoutNetwork, NetworkInterface } from './layout-schema';

const link = z.object({
  ifname: z.string(),
  flags: z.array(z.string()).default([]),
  mtu: z.number().int().positive().catch(1500),
  operstate: z.string().default(''),
  link: z.string().optional(),
  master: z.string().optional(),
  address: z.string().optional(),
  permaddr: z.string().optional(),
  link_type: z.string().default(''),
  linkinfo: z
    .object({ info_kind: z.string().optional(), info_data: z.record(z.string(), z.unknown()).optional() })
    .optional(),
});
type Link = z.output<typeof link>;
const address = z.object({
  ifname: z.string(),
  addr_info: z
    .array(
      z.object({
        local: z.string().optional(),
        prefixlen: z.number().optional(),
        scope: z.string().default(''),
        dynamic: z.boolean().default(false),
        temporary: z.boolean().default(false),
      }),
    )
    .default([]),
});
const route = z.object({
  dst: z.string(),
  gateway: z.string().optional(),
  dev: z.string().optional(),
  metric: z.number().int().optional(),
  protocol: z.string().optional(),
  type: z.string().optional(),
});
const list = <T extends z.ZodType>(each: T) => z.array(z.union([each, z.strictObject({})]));

/** Made by programs that make them again (containers, virtual machines, tunnels of a VPN's daemon), or by the kernel itself. */
const BY_PROGRAMS =
  /^(?:veth|tun|tap|dummy|ifb|sit|ip6tnl|tunl|gre|gretap|erspan|ip_vti|ip6_vti|ip6gre|nlmon|vcan|ipvlan|netkit)/;
const BRIDGES_OF_PROGRAMS =
  /^(?:docker\d*|docker_gwbridge|br-[0-9a-f]{12}|cni\d+|cni-.*|virbr\d+|lxcbr\d+|lxdbr\d+|podman\d+|flannel.*|cali.*|kube-.*)$/;

export function readNetwork(reading: Reading): LayoutNetwork {
  const links = asked(reading, 'ip-link', link);
  const addresses = asked(reading, 'ip-addr', address);
  const drivers = new Map(
    reading.lines('drivers').map((line) => [line.split(' ')[0] ?? '', orNull(line.split(' ')[1])]),
  );
  const interfaces = links
    .filter((each) => isKept({ each, drivers }))
    .map((each) => interfaceOf({ reading, each, links, addresses, driver: drivers.get(each.ifname) ?? null }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    hostname: reading.word('hostname') ?? '',
    interfaces,
    routes: routesOf({ reading, names: new Set(interfaces.map(({ name }) => name)) }),
    dns: dnsOf(reading),
    tool: toolOf(reading),
  };
}

function asked<T extends z.ZodType>(reading: Reading, name: string, each: T): z.output<T>[] {
  const { value, problem } = reading.json({ name, schema: list(each) });
  if (value === undefined) reading.limit({ what: 'the network', why: `it is not known: ${problem}`, weight: 'part' });
  return (value ?? []).flatMap((one) => {
    const read = each.safeParse(one);
    return read.success ? [read.data] : [];
  });
}

function isKept({ each, drivers }: { each: Link; drivers: Map<string, string | null> }): boolean {
  const kind = each.linkinfo?.info_kind ?? '';
  if (each.flags.includes('LOOPBACK')) return false;
  return drivers.has(each.ifname) || !(BY_PROGRAMS.test(kind) || BRIDGES_OF_PROGRAMS.test(each.ifname));
}

interface One {
  reading: Reading;
  each: Link;
  links: Link[];
  addresses: z.output<typeof address>[];
  driver: string | null;
}

function interfaceOf({ reading, each, links, addresses, driver }: One): NetworkInterface {
  const info = each.linkinfo?.info_data ?? {};
  const kind = kindOf(each);
  if (kind === 'other') reading.limit({ what: each.ifname, why: WHY.foreignInterface, weight: 'part' });
  const own = addresses.filter(({ ifname }) => ifname === each.ifname).flatMap(({ addr_info: found }) => found);
  const lasting = own.filter(({ scope, temporary }) => scope !== 'link' && !temporary);
  const members = links.filter(({ master }) => master === each.ifname).map(({ ifname }) => ifname);
  const mac = orNull(each.address);
  const permanent = orNull(each.permaddr);
  return {
    name: each.ifname,
    kind,
    mac,
    permanentMac: permanent === mac ? null : permanent,
    up: each.flags.includes('UP'),
    mtu: each.mtu,
    addresses: lasting.flatMap(({ local, prefixlen }) => (local === undefined ? [] : [`${local}/${prefixlen ?? ''}`])),
    dynamic: lasting.some(({ dynamic }) => dynamic),
    driver,
    vlan: kind === 'vlan' ? { parent: each.link ?? '', id: vlanId(info['id']) } : null,
    bond: kind === 'bond' ? { mode: text(info['mode']), members: members.sort(), options: optionsOf(info) } : null,
    bridge: kind === 'bridge' ? { members: members.sort(), stp: Number(info['stp_state'] ?? 0) === 1 } : null,
  };
}

function kindOf({ linkinfo, link_type: type }: Link): NetworkInterface['kind'] {
  const kind = linkinfo?.info_kind;
  if (kind === 'vlan' || kind === 'bond' || kind === 'bridge') return kind;
  return kind === undefined && type === 'ether' ? 'ethernet' : 'other';
}

function vlanId(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 4095 ? value : 0;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** What was set, and no state of today (the active member, what the partner says). */
const BOND_STATE = /^(?:mode|active_slave|ad_info|ad_actor_.*|ad_aggregator|ad_num_ports|ad_partner_.*)$/;

function optionsOf(info: Record<string, unknown>): Record<string, string> {
  const kept = Object.entries(info).flatMap(([key, value]): [string, string][] =>
    BOND_STATE.test(key) || text(value) === '' ? [] : [[key, text(value)]],
  );
  return Object.fromEntries(kept);
}

/** Those that the kernel does not make by itself out of an address. */
function routesOf({ reading, names }: { reading: Reading; names: ReadonlySet<string> }): LayoutNetwork['routes'] {
  return ['ip-route', 'ip-route6'].flatMap((name) =>
    asked(reading, name, route).flatMap(({ dst, gateway, dev, metric, protocol, type }) => {
      if (protocol === 'kernel' || dev === undefined || !names.has(dev) || (type ?? 'unicast') !== 'unicast') return [];
      return [{ to: dst, via: gateway ?? null, device: dev, metric: metric ?? null }];
    }),
  );
}

function dnsOf(reading: Reading): LayoutNetwork['dns'] {
  const words = reading.lines('resolv').map((line) => line.trim().split(/\s+/));
  return {
    servers: words.flatMap(([key, server]) => (key === 'nameserver' && server !== undefined ? [server] : [])),
    search: words.findLast(([key]) => key === 'search' || key === 'domain')?.slice(1) ?? [],
  };
}

/** By what lies there, in the order in which one is made of another: netplan writes the files of the others. */
function toolOf(reading: Reading): LayoutNetwork['tool'] {
  const configs = reading.subjects('config');
  const running = reading.lines('net-managers');
  const has = (pattern: RegExp) => configs.some((path) => pattern.test(path));
  if (has(/^\/etc\/netplan\/.*\.yaml$/)) return 'netplan';
  if (has(/^\/etc\/sysconfig\/network-scripts\/ifcfg-(?!lo$)/)) return 'ifcfg';
  if (has(/^\/etc\/sysconfig\/network\/ifcfg-(?!lo$)/)) return running.includes('networkmanager') ? 'ifcfg' : 'wicked';
  const interfaces = configs.filter((path) => /^\/etc\/network\/interfaces/.test(path));
  if (interfaces.some((path) => /^\s*iface\s+(?!lo\s)\S/m.test(reading.text(`config:${path}`)))) return 'ifupdown';
  if (has(/^\/etc\/NetworkManager\/system-connections\//) || running.includes('networkmanager'))
    return 'networkmanager';
  return has(/^\/etc\/systemd\/network\/.*\.network$/) || running.includes('systemd-networkd')
    ? 'systemd-networkd'
    : 'unknown';
}
