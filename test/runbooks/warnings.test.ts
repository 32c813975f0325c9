import { cronProblem, longestGapS } from '../../runbooks/cron';
import { starterRunbook } from '../../runbooks/init';
import { examineRunbook } from '../../runbooks/load';
import { formatIssue } from '../../runbooks/issues';

const HEAD = `version: 1
hosts:
  a: { address: 10.0.0.1 }
  b: { address: 10.0.0.2 }
stores:
  main: { host: b, kind: btrfs, place: /backup }
`;
const source = (path: string) => `{ host: a, path: ${path}, snapshot: btrfs }`;

function warnings(text: string): string[] {
  return examineRunbook({ text, file: 'r.yaml' }).warnings.map(formatIssue);
}
const problem = (text: string) => () => examineRunbook({ text, file: 'r.yaml' });

describe('what is allowed and hardly meant', () => {
  it('nothing of the starter runbook', () => {
    expect(warnings(starterRunbook())).toEqual([]);
  });

  it('a runbook without hosts, and one without groups', () => {
    expect(warnings('version: 1\nhosts: {}\n')).toEqual([
      expect.stringMatching(/^r\.yaml:2:1: hosts: there is no host yet/),
    ]);
    expect(warnings(HEAD)).toEqual([expect.stringMatching(/^r\.yaml:\d+:\d+: groups: there is no group yet/)]);
    expect(warnings(`${HEAD}groups: {}\n`)).toEqual([expect.stringMatching(/^r\.yaml:7:1: groups: there is no group/)]);
  });

  it('an rpo that the schedule can not keep', () => {
    const group = (rpo: string, cron: string) =>
      `${HEAD}groups:\n  g:\n    target: main\n    sources: [${source('/srv')}]\n    rpo: ${rpo}\n    schedule: { cron: "${cron}" }\n`;
    expect(warnings(group('24h', '30 1 * * *'))).toEqual([]);
    expect(warnings(group('23h', '30 1 * * *'))).toEqual([
      expect.stringMatching(/^r\.yaml:11:10: groups\.g\.rpo: is 23h, but .* up to 1d between/),
    ]);
    expect(warnings(group('24h', '30 1 * * 1-5'))).toEqual([expect.stringMatching(/up to 3d between/)]);
    expect(warnings(group('12h', '0 */6 * * *'))).toEqual([]);
  });

  it('one folder in two groups', () => {
    const group = (name: string) => `  ${name}:\n    target: main\n    sources:\n      - ${source('/srv/')}\n`;
    expect(warnings(`${HEAD}groups:\n${group('g')}${group('h')}`)).toEqual([
      expect.stringMatching(
        /^r\.yaml:15:\d+: groups\.h\.sources\[0\]\.path: "\/srv" of host "a" is also a source of group "g"/,
      ),
    ]);
  });
});

it('two names for one machine are a fault; behind a jump, or at another port, it is another', () => {
  const hosts = (b: string) => `version: 1\nhosts:\n  a: { address: 10.0.0.1 }\n  b: ${b}\n  c: {}\n`;
  expect(problem(hosts('{ address: 10.0.0.1 }'))).toThrow(
    /^r\.yaml:4:17: hosts\.b\.address: is reached at the same address and port as host "a"/,
  );
  expect(problem(hosts('{ address: C }'))).toThrow(/r\.yaml:5:3: hosts\.c: is reached at the same .* "b"/);
  expect(problem(hosts('{ address: 10.0.0.1, port: 2222 }'))).not.toThrow();
  expect(problem(hosts('{ address: 10.0.0.1, via: c }'))).not.toThrow();
});

describe('cron', () => {
  it.each(['0 0 31 2 *', '0 0 30 feb *', '0 0 31 4,6,9,11 *', '0 0 31 2 1'])('%s never comes', (cron) => {
    expect(cronProblem(cron)).toMatch(/never comes/);
  });

  it.each<[string, number]>([
    ['* * * * *', 60],
    ['*/15 * * * *', 900],
    ['0,50 * * * *', 3000],
    ['30 1 * * *', 86_400],
    ['30 1 * * 7', 7 * 86_400],
    ['0 8-18 * * *', 14 * 3600],
    ['0 0 1 * *', 31 * 86_400],
    ['0 0 29 feb *', 1461 * 86_400],
    ['0 0 1-7 * sun', 35 * 86_400],
    ['5/20 * * * *', 1200],
  ])('%s leaves at most %d s', (cron, gap) => {
    expect(cronProblem(cron)).toBeNull();
    expect(longestGapS(cron)).toBe(gap);
  });
});
