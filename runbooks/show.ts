/** Writes a runbook out with every default filled in; what it writes parses back to the same runbook. */
import { stringify } from 'yaml';
import {
  ENGINE_LABEL,
  type Command,
  type Contact,
  type Group,
  type Notify,
  type Quiesce,
  type Runbook,
  type Secret,
  type Source,
} from './types';
import { formatBandwidth, formatDuration } from './units';

/** The runbook as YAML. Comments of the original are not kept. */
export function showRunbook(runbook: Runbook): string {
  return stringify(
    {
      version: runbook.version,
      deployment: runbook.deployment ?? undefined,
      hosts: mapValues(runbook.hosts, ({ address, port, user, adminUser, via, labels, restoreTo }) => ({
        address,
        port,
        user,
        admin_user: adminUser,
        via: via ?? undefined,
        labels,
        restore_to: restoreTo,
      })),
      stores: mapValues(runbook.stores, ({ host, kind, place, compression, reservePercent }) => ({
        host,
        kind,
        place,
        compression,
        reserve: `${reservePercent}%`,
      })),
      groups: mapValues(runbook.groups, writeGroup),
    },
    { aliasDuplicateObjects: false, keepUndefined: false, lineWidth: 0 },
  );
}

function writeGroup(group: Group) {
  const { schedule, transfer, restore, recover, rescue } = group;
  return {
    sources: group.sources.map(writeSource),
    quiesce: writeQuiesce({ quiesce: group.quiesce, hosts: extraHosts(group) }),
    target: group.target,
    remote: group.remote ?? undefined,
    transfer: {
      direction: transfer.direction,
      bandwidth: formatBandwidth(transfer.bandwidthBytesPerS),
      io: transfer.io,
      parallel: transfer.parallel,
      streams: transfer.streams,
    },
    on_unreachable: group.onUnreachable,
    rpo: formatDuration(group.rpoS),
    rto: group.rtoS === null ? undefined : formatDuration(group.rtoS),
    keep: group.keep,
    schedule: schedule
      ? {
          cron: schedule.cron,
          jitter: formatDuration(schedule.jitterS),
          catchup: formatDuration(schedule.catchupS),
          paused: schedule.paused,
          prune: schedule.prune,
        }
      : undefined,
    restore: { stop: restore.stop, order: restore.order, health: restore.health.map(writeCommand) },
    recover: {
      approve: recover.approve,
      grow: recover.grow,
      headroom: `${recover.headroomPercent}%`,
      passphrases: (recover.passphrases ?? []).map(({ host, volume, secret }) => ({
        host,
        volume,
        secret: writeSecret(secret),
      })),
    },
    rescue: {
      modules: rescue.modules,
      network: rescue.network,
      outputs: rescue.outputs,
      keep: rescue.keep,
      pinned_key: rescue.pinnedKey,
    },
    notify: group.notify.map(writeNotify),
    contacts: group.contacts.map(writeContact),
    notes: group.notes,
  };
}

/** Hosts of the group that nothing but `quiesce.hosts` can have brought in. */
function extraHosts({ hosts, sources, quiesce, restore }: Group): string[] {
  const named = [...sources, ...quiesce.units, ...quiesce.hooks.before, ...quiesce.hooks.after, ...restore.health];
  return hosts.filter((host) => !named.some((item) => item.host === host));
}

function writeSource({ host, path, name, snapshot, exclude, ...source }: Source) {
  const { snapshotRoomPercent, luksHeaders, shrinkLimitPercent } = source;
  const own = { snapshot_room: `${snapshotRoomPercent}%`, luks_headers: luksHeaders };
  return { host, path, name, snapshot, ...own, exclude, shrink_limit: `${shrinkLimitPercent}%` };
}

function writeQuiesce({ quiesce, hosts }: { quiesce: Quiesce; hosts: string[] }) {
  const { containers, hooks } = quiesce;
  return {
    max_pause: formatDuration(quiesce.maxPauseS),
    containers: containers.mode === 'label' ? { label: containers.label } : containers.mode,
    exempt: quiesce.exempt.filter((label) => label !== ENGINE_LABEL).map((label) => ({ label })),
    hosts,
    units: quiesce.units.map(({ host, name, by }) => ({ host, name, by })),
    hooks: { before: hooks.before.map(writeCommand), after: hooks.after.map(writeCommand) },
  };
}

function writeCommand({ host, name, command, timeoutS }: Command) {
  return { host, name, command, timeout: formatDuration(timeoutS) };
}

function writeNotify({ kind, url, on, secret }: Notify) {
  return { [kind]: url, on, secret: secret === null ? undefined : writeSecret(secret) };
}

function writeSecret({ from, value }: Secret) {
  return { [from]: value };
}

function writeContact({ name, role, phone, mail }: Contact) {
  return { name, role: role ?? undefined, phone: phone ?? undefined, mail: mail ?? undefined };
}

function mapValues<In, Out>(record: Record<string, In>, convert: (value: In) => Out): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value)]));
}
