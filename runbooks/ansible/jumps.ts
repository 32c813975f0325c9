/** Jump hosts from the ssh arguments of an inventory. */
import { type NotCarried, type Variable } from './inventory';
import { withoutSecrets } from './secrets';

export interface ImportedHost {
  address?: string;
  port?: number;
  admin_user?: string;
  via?: string;
  labels?: string[];
}

export interface Jump {
  host: string;
  args: string;
  origin: Variable;
}

/** Sets `via` of each host that jumps; a jump host that the inventory does not know is added. */
export function nameJumps({
  jumps,
  hosts,
  report,
}: {
  jumps: Jump[];
  hosts: Record<string, ImportedHost>;
  report: (entry: NotCarried) => void;
}): void {
  for (const { host, args, origin } of jumps) {
    const refuse = (reason: string) => {
      report({ file: origin.file, line: origin.line, text: origin.text, reason });
    };
    const { jump, rest } = jumpOf(args);
    if (rest !== '') refuse(`the ssh arguments \`${withoutSecrets(rest)}\` have no counterpart in a runbook`);
    const entry = hosts[host];
    if (jump === undefined || !entry) continue;
    const match = /^(?:([a-z_][a-z0-9_-]{0,31})@)?([A-Za-z0-9.-]{1,255})(?::(\d{1,5}))?$/.exec(jump);
    if (!match) {
      refuse(`the jump \`${jump}\` goes over several hosts, or is not understood: give each host its own \`via\``);
      continue;
    }
    const [, user, address = '', port] = match;
    const known = Object.keys(hosts).find((name) => name === address || hosts[name]?.address === address);
    const via = known ?? address.slice(0, 64);
    // Ansible applies an argument of [all:vars] to the jump host as well, where it can only be meant for the others.
    if (via === host) continue;
    if (entry.via !== undefined && entry.via !== via) {
      refuse(`${host} jumps through ${entry.via} already, as ssh takes the first: the jump \`${jump}\` is left out`);
      continue;
    }
    hosts[host] = { ...entry, via };
    if (known === undefined) {
      hosts[via] = {
        ...(via !== address && { address }),
        ...(port !== undefined && port !== '22' && { port: Number(port) }),
        ...(user !== undefined && user !== 'root' && { admin_user: user }),
      };
      continue;
    }
    if (port !== undefined && Number(port) !== (hosts[known]?.port ?? 22)) {
      refuse(`the jump host ${known} is reached at port ${port} here and has another port of its own, which stays`);
    }
    if (user !== undefined && hosts[known]?.admin_user === undefined) {
      hosts[known] = { ...hosts[known], ...(user !== 'root' && { admin_user: user }) };
    } else if (user !== undefined && user !== hosts[known]?.admin_user) {
      refuse(`the jump host ${known} is used as \`${user}\` here and has another user of its own, which stays`);
    }
  }
}

/** The jump in `-J X`, `-o ProxyJump=X` or `-o ProxyCommand="ssh -W %h:%p X"`, and the arguments besides. */
function jumpOf(args: string): { jump?: string; rest: string } {
  const shapes = [
    /-o\s*["']?ProxyJump[= ]["']?([^\s"']+)["']*/i,
    /(?<!\S)-J\s*["']?([^\s"']+)["']?/,
    /-o\s*["']?ProxyCommand=["']?ssh\s+(?:-q\s+)?-W\s+\S+\s+(?:-q\s+)?([^\s"'-][^\s"']*)["']*/i,
  ];
  for (const shape of shapes) {
    const match = shape.exec(args);
    const jump = match?.[1];
    if (match && jump !== undefined) return { jump, rest: args.replace(match[0], '').replace(/\s+/g, ' ').trim() };
  }
  return { rest: args.trim() };
}
