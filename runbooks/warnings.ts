/** What a runbook may say and hardly means to: `validate` tells it, and nothing is refused for it. */
import { longestGapS } from './cron';
import { quote, type Finding } from './issues';
import { cleanPath } from './resolve';
import { type WrittenRunbook } from './schema';
import { formatDuration, parseDuration } from './units';

/** Expects that the cross-checks have found no fault. */
export function warningsOf({ written }: { written: WrittenRunbook }): Finding[] {
  return [...empty(written), ...lateByPlan(written), ...twice(written)];
}

function empty({ hosts, groups }: WrittenRunbook): Finding[] {
  if (Object.keys(hosts).length === 0)
    return [{ path: ['hosts'], atKey: true, message: 'there is no host yet: nothing can be backed up' }];
  if (Object.keys(groups).length > 0) return [];
  return [{ path: ['groups'], atKey: true, message: 'there is no group yet: nothing is backed up' }];
}

/** A schedule that leaves more time between two backups than may be lost: `status` would say so for ever. */
function lateByPlan({ groups }: WrittenRunbook): Finding[] {
  return Object.entries(groups).flatMap(([name, { rpo, schedule }]) => {
    const gapS = schedule ? longestGapS(schedule.cron) : null;
    if (gapS === null || gapS <= parseDuration(rpo)) return [];
    const message = `is ${rpo}, but the schedule leaves up to ${formatDuration(gapS)} between two backups: \`status\` will say BEYOND RPO; back up more often, or allow more`;
    return [{ path: ['groups', name, 'rpo'], message }];
  });
}

/** One folder in two groups is frozen and copied twice: allowed (two targets are a reason), but seldom meant. */
function twice({ groups }: WrittenRunbook): Finding[] {
  const seen = new Map<string, string>();
  return Object.entries(groups).flatMap(([name, group]) =>
    group.sources.flatMap((source, index) => {
      const key = JSON.stringify([source.host, cleanPath(source.path)]);
      const other = seen.get(key);
      seen.set(key, other ?? name);
      if (other === undefined || other === name) return [];
      const message = `${quote(cleanPath(source.path))} of host ${quote(source.host)} is also a source of group ${quote(other)}: it is frozen and kept twice`;
      return [{ path: ['groups', name, 'sources', index, 'path'], message }];
    }),
  );
}
