/** From the runbook as written to plain data with everything worked out: short names, trees, seconds, bytes, order. */
import { defaultSourceName, shortName, treeName } from './names';
import { type WrittenHost, type WrittenRunbook, type WrittenStore } from './schema';
import { KEEP_DEFAULTS, type WrittenCommand, type WrittenGroup, type WrittenNotify } from './schema-group';
import {
  ENGINE_LABEL,
  type Command,
  type Group,
  type Notify,
  type Quiesce,
  type Runbook,
  type Secret,
  type Source,
} from './types';
import { parseBandwidth, parseDuration, parsePercent } from './units';

/** The resolved runbook. Expects that the schema and the cross-checks have passed. */
export function resolveRunbook({ written }: { written: WrittenRunbook }): Runbook {
  const deployment = written.deployment ?? null;
  return {
    version: written.version,
    deployment,
    hosts: mapEntries(written.hosts, (host, name) => ({
      name,
      short: shortName({ host: name, deployment }),
      address: host.address ?? name,
      port: host.port,
      user: host.user,
      adminUser: host.admin_user,
      via: host.via ?? null,
      labels: host.labels,
      restoreTo: host.restore_to.map(cleanPath),
    })),
    stores: mapEntries(written.stores, (store, name) => ({
      name,
      host: store.host,
      hostShort: shortName({ host: store.host, deployment }),
      kind: store.kind,
      place: cleanPath(store.place),
      compression: store.compression ?? defaultCompression(store),
      reservePercent: parsePercent(store.reserve),
    })),
    groups: mapEntries(written.groups, (group, name) => resolveGroup({ name, group, written })),
  };
}

/** A path without the slash at its end. */
export function cleanPath(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** The hosts that a list of host names and labels means, in the list's order, each once; unknown words mean none. */
export function hostsOf({ words, hosts }: { words: readonly string[]; hosts: Record<string, WrittenHost> }): string[] {
  const found = words.flatMap((word) =>
    Object.hasOwn(hosts, word)
      ? [word]
      : Object.entries(hosts)
          .filter(([, host]) => host.labels.includes(word))
          .map(([name]) => name),
  );
  return [...new Set(found)];
}

/** The name that a source goes by. */
export function sourceName({ path, name }: { path: string; name?: string }): string {
  return name ?? defaultSourceName({ path });
}

function defaultCompression({ kind }: WrittenStore): string {
  return kind === 'hardlink' ? 'off' : 'zstd';
}

function resolveGroup({ name, group, written }: { name: string; group: WrittenGroup; written: WrittenRunbook }): Group {
  const short = (host: string) => shortName({ host, deployment: written.deployment ?? null });
  const hosts = groupHosts({ group, written });
  const first = hostsOf({ words: group.restore.order, hosts: written.hosts }).filter((host) => hosts.includes(host));
  return {
    name,
    hosts,
    sources: group.sources.map((source): Source => {
      const path = cleanPath(source.path);
      return {
        host: source.host,
        hostShort: short(source.host),
        name: sourceName(source),
        path,
        tree: treeName({ host: short(source.host), path }),
        snapshot: source.snapshot,
        exclude: source.exclude,
        snapshotRoomPercent: parsePercent(source.snapshot_room),
        luksHeaders: source.luks_headers,
        shrinkLimitPercent: parsePercent(source.shrink_limit),
      };
    }),
    quiesce: resolveQuiesce({ group, short }),
    restore: {
      stop: group.restore.stop,
      order: group.restore.order,
      stopOrder: [...first, ...hosts.filter((host) => !first.includes(host))],
      health: group.restore.health.map((check) => resolveCommand({ command: check, short })),
    },
    recover: {
      approve: group.recover.approve,
      grow: group.recover.grow,
      headroomPercent: parsePercent(group.recover.headroom),
      passphrases: group.recover.passphrases.flatMap(({ host, volume, secret }) => {
        const place = resolveSecret(secret);
        return place === null ? [] : [{ host, volume, secret: place }];
      }),
    },
    target: group.target,
    remote: group.remote ?? null,
    transfer: {
      direction: group.transfer.direction,
      bandwidthBytesPerS: parseBandwidth(group.transfer.bandwidth),
      io: group.transfer.io,
      parallel: group.transfer.parallel,
      streams: group.transfer.streams,
    },
    onUnreachable: group.on_unreachable,
    rpoS: parseDuration(group.rpo),
    rtoS: group.rto === undefined ? null : parseDuration(group.rto),
    keep: group.keep ?? KEEP_DEFAULTS,
    schedule: group.schedule
      ? {
          cron: group.schedule.cron.trim().split(/\s+/).join(' '),
          jitterS: parseDuration(group.schedule.jitter),
          catchupS: parseDuration(group.schedule.catchup),
          paused: group.schedule.paused,
          // Nobody has agreed to defaults that remove backups unattended.
          prune: group.schedule.prune ?? group.keep !== undefined,
        }
      : null,
    rescue: {
      modules: group.rescue.modules,
      network: group.rescue.network,
      outputs: [...new Set(group.rescue.outputs)],
      keep: group.rescue.keep,
      pinnedKey: group.rescue.pinned_key,
    },
    notify: group.notify.map(resolveNotify),
    contacts: group.contacts.map(({ name: who, role = null, phone = null, mail = null }) => ({
      name: who,
      role,
      phone,
      mail,
    })),
    notes: group.notes,
  };
}

/** Every host that takes part in a group's freeze, in the file's order. */
export function groupHosts({ group, written }: { group: WrittenGroup; written: WrittenRunbook }): string[] {
  const { quiesce, restore } = group;
  const named = new Set([
    ...[...group.sources, ...quiesce.units, ...quiesce.hooks.before, ...quiesce.hooks.after, ...restore.health].map(
      ({ host }) => host,
    ),
    ...hostsOf({ words: quiesce.hosts, hosts: written.hosts }),
  ]);
  return Object.keys(written.hosts).filter((host) => named.has(host));
}

type Short = (host: string) => string;

function resolveQuiesce({ group: { quiesce }, short }: { group: WrittenGroup; short: Short }): Quiesce {
  const { containers } = quiesce;
  return {
    maxPauseS: parseDuration(quiesce.max_pause),
    containers: typeof containers === 'string' ? { mode: containers } : { mode: 'label', label: containers.label },
    exempt: [...new Set([ENGINE_LABEL, ...quiesce.exempt.map(({ label }) => label)])],
    units: quiesce.units.map(({ host, name, by }) => ({ host, hostShort: short(host), name, by })),
    hooks: {
      before: quiesce.hooks.before.map((command) => resolveCommand({ command, short })),
      after: quiesce.hooks.after.map((command) => resolveCommand({ command, short })),
    },
  };
}

function resolveCommand({ command, short }: { command: WrittenCommand; short: Short }): Command {
  const { host, name } = command;
  return {
    host,
    hostShort: short(host),
    name,
    command: command.command,
    timeoutS: parseDuration(command.timeout),
  };
}

function resolveNotify({ webhook, ping, on, secret }: WrittenNotify): Notify {
  return {
    kind: webhook === undefined ? 'ping' : 'webhook',
    url: webhook ?? ping ?? '',
    on: [...new Set(on)],
    secret: secret === undefined ? null : resolveSecret(secret),
  };
}

function resolveSecret(secret: NonNullable<WrittenNotify['secret']>): Secret | null {
  const from = (['file', 'env', 'command'] as const).find((kind) => secret[kind] !== undefined);
  return from === undefined ? null : { from, value: secret[from] ?? '' };
}

function mapEntries<In, Out>(
  record: Record<string, In>,
  convert: (value: In, name: string) => Out,
): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value, name)]));
}
