/** The faults of the campaign: each strikes a random place and can be taken back. */
import type { CrashLab } from '../crash/support/crash-lab';
import { APPS } from '../crash/support/crash-lab';
import { cutPower, powerOn } from '../crash/support/power';
import { pick } from './random';

export interface Fault {
  kind: string;
  /** Strikes. @returns what it hit, and how to take it back */
  strike: (lab: CrashLab, random: () => number) => Promise<Struck>;
}

export interface Struck {
  what: string;
  heal: () => Promise<void>;
}

/** So slow that a copy stands still and a session still answers. */
const SLOW_KBIT = 400;
const HOSTS = [...APPS, 'target'];
const nothing = (): Promise<void> => Promise.resolve();

export const FAULTS: readonly Fault[] = [
  {
    kind: 'worker',
    strike: async (lab) => {
      await lab.director.killWorkers();
      return {
        what: 'worker killed',
        heal: () => {
          lab.director.startWorker();
          return Promise.resolve();
        },
      };
    },
  },
  {
    kind: 'server',
    strike: async (lab) => {
      await lab.director.killServer();
      return { what: 'server killed', heal: () => lab.director.startServer() };
    },
  },
  {
    kind: 'sshd',
    strike: async (lab, random) => {
      const host = pick(random, HOSTS);
      await lab.fleet.exec(host, 'pkill -KILL -x sshd', { mayFail: true });
      return { what: `sshd of ${host} killed, with its connections`, heal: nothing };
    },
  },
  {
    kind: 'dockerd',
    strike: async (lab, random) => {
      const host = pick(random, APPS);
      await lab.fleet.killDocker(host);
      return { what: `dockerd of ${host} killed`, heal: nothing };
    },
  },
  {
    kind: 'container',
    strike: async (lab, random) => {
      const host = pick(random, APPS);
      // A paused one can't be restarted: then its processes are killed, and die when they are thawed.
      const restart = 'timeout 5 docker restart -t 0 writer || kill -9 $(docker inspect -f "{{.State.Pid}}" writer)';
      await lab.fleet.exec(host, restart, { mayFail: true });
      return { what: `the container of ${host} restarted`, heal: nothing };
    },
  },
  {
    kind: 'network',
    strike: async (lab, random) => {
      const host = pick(random, HOSTS);
      const other = pick(
        random,
        ['director', ...HOSTS].filter((each) => each !== host),
      );
      await lab.fleet.cut(host, other);
      return { what: `cable between ${host} and ${other} out`, heal: () => lab.fleet.heal(host, other) };
    },
  },
  {
    kind: 'full',
    strike: async (lab) => {
      const fill = 'fallocate -l $(($(df --output=avail -B1 /backup | tail -n 1) - 65536)) /backup/filler';
      await lab.fleet.exec('target', fill, { mayFail: true });
      return {
        what: 'target full',
        heal: async () => {
          await lab.fleet.exec('target', 'rm -f /backup/filler && btrfs filesystem sync /backup');
        },
      };
    },
  },
  {
    kind: 'slow',
    strike: async (lab, random) => {
      const host = pick(random, HOSTS);
      if (random() < 0.5) {
        await lab.fleet.limitRate(host, SLOW_KBIT);
        return { what: `the network of ${host} at ${SLOW_KBIT} kbit/s`, heal: () => lab.fleet.limitRate(host, 0) };
      }
      await lab.fleet.hangHost(host, true);
      return { what: `${host} hangs`, heal: () => lab.fleet.hangHost(host, false) };
    },
  },
  {
    kind: 'clock',
    strike: async (lab, random) => {
      const host = pick(random, HOSTS);
      const seconds = pick(random, [-3_600, -90, 90, 3_600]);
      await lab.fleet.shiftClock(host, seconds);
      return { what: `clock of ${host} steps by ${seconds} s`, heal: () => lab.fleet.shiftClock(host, 0) };
    },
  },
  {
    kind: 'power',
    strike: async (lab, random) => {
      const host = pick(random, HOSTS);
      await cutPower(lab.fleet, host);
      return { what: `power of ${host} cut`, heal: () => powerOn(lab.fleet, host) };
    },
  },
];
