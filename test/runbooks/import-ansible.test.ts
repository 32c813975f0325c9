import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { literal } from '../../runbooks/ansible/literal';
import { expandRange } from '../../runbooks/ansible/ranges';
import { withoutSecrets } from '../../runbooks/ansible/secrets';
import { importAnsible, importAnsibleFile } from '../../runbooks/import-ansible';
import { parseRunbook } from '../../runbooks/load';

const INI = `# a fleet
[gateways]
access-1 nbr=11

[servers]
manager-[1:2] nbr=21   ; flavour=large
solr-[01:02]
backup-target

[storage:children]
swarm_managers

[backup_director]
director

[backup_targets]
backup-target

[backup_remote]
faraway ansible_host=198.51.100.9 ansible_port=2222 ansible_user="ubuntu"

[backup_sources]
manager-1 gluster_backup_source=True lvm_backup_source=False backup_snapshot_storage=0
solr-01 gluster_backup_source=False lvm_backup_source=True lvm_backup_source_path=/data

[docker_swarm]
manager-[1:2]
solr-[01:02]

[swarm_managers]
manager-[1:2]

[all:vars]
deployment_prefix=prod
domain=example.org
ansible_ssh_common_args='-o ProxyJump=admin@access-1 -o ControlPersist=60s'
ansible_host="{{ deployment_prefix }}-{{inventory_hostname}}.{{ domain }}"

[odd:things]
lost words here
`;

const reasons = (list: { line: number; reason: string }[]) =>
  list.map(({ line, reason }) => `${line}: ${reason}`).join('\n');

test('each host of a range that gives no source is told', () => {
  const text = '[backup_targets]\ntarget\n[backup_sources]\nweb-[1:3]\n';
  const { notCarried } = importAnsible({ text, file: 'range' });
  const told = notCarried.filter(({ reason }) => reason.startsWith('is a backup source')).map(({ text: host }) => host);
  expect(told).toEqual(['web-1', 'web-2', 'web-3']);
});

describe('an inventory in the SBDI manner', () => {
  const { yaml, notCarried } = importAnsible({ text: INI, file: 'prod' });

  it('becomes a runbook', () => {
    expect(yaml).toMatchSnapshot();
  });

  it('lists by line what is not carried over or was assumed', () => {
    expect(notCarried).toMatchSnapshot();
  });

  it('carries kinds of later work, which validation names', () => {
    const problem = () => parseRunbook({ text: yaml, file: 'out' });
    expect(problem).toThrow(/the snapshot kind `gluster` arrives with later work/);
    const now = parseRunbook({ text: yaml.replace(/gluster$|lvm$/gm, 'btrfs'), file: 'out' });
    expect(now.groups.fleet?.sources.map(({ tree }) => tree)).toEqual(['manager-1@+docker', 'solr-01@+data']);
    expect(now.groups.fleet?.hosts).toEqual(['manager-1', 'manager-2', 'solr-01', 'solr-02']);
    expect(now.groups.fleet?.restore.stopOrder).toEqual(['solr-01', 'solr-02', 'manager-1', 'manager-2']);
    expect(now.hosts['access-1']).toMatchObject({
      via: null,
      adminUser: 'admin',
      address: 'prod-access-1.example.org',
    });
    expect(now.hosts.faraway).toMatchObject({ via: 'access-1', port: 2222, adminUser: 'ubuntu' });
  });

  it('drops nothing silently: each variable is carried or listed', () => {
    for (const word of ['nbr', 'backup_snapshot_storage', 'ControlPersist', 'lost words', 'flavour']) {
      const listed = notCarried.some(({ text, reason }) => `${text} ${reason}`.includes(word));
      expect([word, listed]).toEqual([word, true]);
    }
  });
});

describe('the room for snapshots', () => {
  const imported = (sources: string, volume = 'local_docker_storage=350') => {
    const text = `[backup_targets]\ntarget\n[backup_sources]\n${sources}\n[solr]\nsolr-1\n[solr:vars]\n${volume}\n`;
    const { yaml, notCarried } = importAnsible({ text, file: 'prod' });
    const room = /snapshot_room: (\S+)/.exec(yaml)?.[1];
    const told = reasons(notCarried.filter(({ reason }) => reason.includes('snapshot')));
    if (room !== undefined)
      expect(parseRunbook({ text: yaml, file: 'out' }).groups.fleet?.sources[0]).toMatchObject({
        snapshotRoomPercent: Number(room.slice(0, -1)),
      });
    return { room, told };
  };

  it('is a share of the volume, whose size stands beside it, and told as assumed', () => {
    expect(imported('solr-1 lvm_backup_source=True backup_snapshot_storage=20')).toEqual({
      room: '5%',
      told: '4: `snapshot_room: 5%` is assumed for solr-1: 20 GB (`backup_snapshot_storage`) of 350 GB (`local_docker_storage`), check it',
    });
    expect(imported('solr-1 lvm_backup_source=True backup_snapshot_storage=400').room).toBe('100%');
  });

  it.each([
    [
      'no size',
      'lvm_backup_source=True backup_snapshot_storage=20',
      'colour=red',
      /\(20 GB\) is not carried: .* its size is not known here; write it by hand/,
    ],
    [
      'a volume elsewhere',
      'lvm_backup_source=True lvm_backup_source_path=/data backup_snapshot_storage=20',
      'local_docker_storage=350',
      /its size is not known here/,
    ],
    [
      'too little',
      'lvm_backup_source=True backup_snapshot_storage=0',
      'local_docker_storage=350',
      /less than 1% of it; write it by hand/,
    ],
    [
      'a template',
      'lvm_backup_source=True backup_snapshot_storage="{{ x | y }}"',
      'local_docker_storage=350',
      /`backup_snapshot_storage` is a template/,
    ],
    [
      'another kind',
      'gluster_backup_source=True backup_snapshot_storage=0',
      'local_docker_storage=350',
      /where `lvm_backup_source` is true, for the `snapshot_room` of that source: `backup_snapshot_storage`/,
    ],
  ])('is left to a person with %s', (_, vars, volume, words) => {
    const { room, told } = imported(`solr-1 ${vars}`, volume);
    expect(room).toBeUndefined();
    expect(told).toMatch(words);
  });
});

it('YAML says the same as INI', () => {
  const text = `all:
  vars: { deployment_prefix: prod }
  children:
    backup_sources:
      hosts:
        app-[a:c]: { backup_source_paths: [/srv/data, "/home/{{ inventory_hostname }}"], backup_source_snapshot: zfs }
        db-1: { secret: !vault "x", zfs_backup_source: yes, zfs_backup_source_path: /db }
    backup_target:
      hosts: { vault: { backup_store_kind: btrfs, backup_store_place: /backup, backup_store_compression: zstd } }
      colour: blue
`;
  const { yaml, notCarried } = importAnsible({ text, file: 'fleet.yml' });
  const runbook = parseRunbook({ text: yaml, file: 'out' });
  expect(runbook.deployment).toBe('prod');
  expect(runbook.stores.main).toMatchObject({ host: 'vault', kind: 'btrfs', place: '/backup' });
  expect(runbook.groups.fleet?.sources.map(({ host, path, snapshot }) => `${host} ${path} ${snapshot}`)).toEqual([
    'app-a /srv/data zfs',
    'app-a /home/app-a zfs',
    'app-b /srv/data zfs',
    'app-b /home/app-b zfs',
    'app-c /srv/data zfs',
    'app-c /home/app-c zfs',
    'db-1 /db zfs',
  ]);
  expect(reasons(notCarried)).toBe(
    '7: no counterpart in a runbook: `secret`\n10: `colour` is no part of a group (hosts, children, vars)',
  );
});

describe('variables beside the inventory', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'runbook-import-'))));
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('rank as in Ansible: all, outer group, inner group, host', () => {
    mkdirSync(join(folder, 'group_vars', 'all'), { recursive: true });
    mkdirSync(join(folder, 'host_vars'));
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
    };
    write('hosts', '[inner]\na\nb\nc ansible_port=4\n[outer:children]\ninner\n[other]\nd\n');
    write('group_vars/all/main.yml', 'ansible_port: 1\nmotto: hello\n');
    write('group_vars/all/vault', '$ANSIBLE_VAULT;1.1;AES256\n6162\n');
    write('group_vars/outer.yml', 'ansible_port: 2\n');
    write('group_vars/inner', 'ansible_port: 3\nansible_host: "{{ x | lower }}"\n');
    write('group_vars/nobody.yml', 'ansible_port: 9\n');
    write('host_vars/b.yml', 'ansible_port: 5\n');
    const { yaml, notCarried } = importAnsibleFile({ file: join(folder, 'hosts') });
    const { hosts } = parse(yaml) as { hosts: Record<string, { port: number }> };
    expect(Object.entries(hosts).map(([name, { port }]) => `${name} ${port}`)).toEqual(['a 3', 'b 5', 'c 4', 'd 1']);
    const listed = notCarried
      .map(({ file, line, reason }) => `${file.slice(folder.length + 1)}:${line} ${reason}`)
      .join('\n');
    expect(listed).toMatch(/^group_vars\/all\/main.yml:2 no counterpart in a runbook: `motto`$/m);
    expect(listed).toMatch(/^group_vars\/all\/vault:1 is encrypted/m);
    expect(listed).toMatch(/^group_vars\/inner:2 `ansible_host` is a template that only Ansible can work out/m);
    expect(listed).toMatch(/^group_vars\/nobody.yml:1 the inventory has no group of this name/m);
    expect(listed).toMatch(/^group_vars\/outer.yml:1 not carried, as it is set again where it counts more/m);
  });

  it('are read from folders in folders, and what Ansible does not read or nobody can is listed', () => {
    mkdirSync(join(folder, 'group_vars', 'all', 'sub', 'deep'), { recursive: true });
    mkdirSync(join(folder, 'group_vars', 'all', 'old.d'));
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
    };
    write('hosts', 'a\n');
    write('group_vars/all/sub/x.yml', 'ansible_user: deep\n');
    write('group_vars/all/sub/deep/y', 'ansible_port: 2200\n');
    write('group_vars/all/old.d/z.yml', 'ansible_port: 1\n');
    write('group_vars/all/sub/x.yml.bak', 'ansible_user: bak\n');
    write('group_vars/all/sub/x.yml~', 'ansible_user: tilde\n');
    symlinkSync('nowhere', join(folder, 'group_vars', 'gone.yml'));
    symlinkSync('..', join(folder, 'group_vars', 'all', 'sub', 'up'));
    symlinkSync('nowhere', join(folder, 'host_vars'));
    const { yaml, notCarried } = importAnsibleFile({ file: join(folder, 'hosts') });
    expect(parse(yaml)).toMatchObject({ hosts: { a: { admin_user: 'deep', port: 2200 } } });
    const listed = notCarried.map(({ file, line, reason }) => `${file.slice(folder.length + 1)}:${line} ${reason}`);
    expect(listed).toEqual([
      'group_vars/all/old.d:1 is a folder with a dot in its name, which Ansible does not read there: nothing of it is carried',
      'group_vars/all/sub/up:1 is a link to a folder that it lies in: nothing of it is carried',
      'group_vars/all/sub/x.yml.bak:1 is no file that Ansible reads there (.yml, .yaml, .json, or no ending): nothing of it is carried',
      'group_vars/gone.yml:1 is a link that leads nowhere: nothing of it is carried',
      'host_vars:1 is a link that leads nowhere: nothing of it is carried',
      expect.stringContaining('the runbook has no group yet'),
    ]);
  });
});

describe('what nothing used is listed', () => {
  const TARGET = '[backup_targets]\nt backup_store_kind=btrfs backup_store_place=/backup\n';
  const listed = (text: string) => reasons(importAnsible({ text: `${TARGET}${text}`, file: 'i' }).notCarried);

  it.each([
    ['a flag that is neither', 'btrfs_backup_source=yess', /^4: `btrfs_backup_source` is neither true nor false/m],
    ['its path', 'btrfs_backup_source=yess btrfs_backup_source_path=/x', /^4: .*: `btrfs_backup_source_path`$/m],
    [
      'a path without a flag',
      'lvm_backup_source_path=/x',
      /^4: .*`lvm_backup_source` is true: `lvm_backup_source_path`$/m,
    ],
    ['a second name', 'backup_source_path=/a backup_source_paths=/b', /^4: .*: `backup_source_paths`$/m],
    ['a kind of no path', 'zfs_backup_source=yes backup_source_snapshot=zfs', /^4: .*: `backup_source_snapshot`$/m],
    ['a place of no target', 'backup_store_place=/x', /^4: .*\[backup_remote\]: `backup_store_place`$/m],
    ['an older name', 'ansible_ssh_host=b ansible_host=c', /^4: .*`ansible_host` goes before it: `ansible_ssh_host`$/m],
    ['a word of Ansible that stays off', 'lvm_backup_source=off zfs_backup_source=yes', /^(?![^]*lvm)/],
  ])('%s', (_, variables, line) => {
    expect(listed(`[backup_sources]\na ${variables}\n`)).toMatch(line);
  });

  it('on hosts outside [backup_sources], in a group that is none, and set twice', () => {
    const list = listed(
      '[x]\na backup_source_path=/data backup_source_exclude=x/\n[ghost:vars]\nansible_user=g\n[x:vars]\nansible_port=1\nansible_port=2\n',
    );
    expect(list).toBe(
      [
        '1: no host of a group [backup_sources] has a source: the runbook has no group yet',
        '4: not carried, as it counts only on a host of [backup_sources]: `backup_source_path`; not carried, as it counts only on a host of [backup_sources] that has a source: `backup_source_exclude`',
        '6: not carried, as no host is in [ghost]: `ansible_user`',
        '8: not carried, as it is set again where it counts more: `ansible_port`',
      ].join('\n'),
    );
  });

  it('of one line for each host that it was nothing for', () => {
    const list = listed('[more]\nm-[1:3] backup_source_path=/d backup_source_snapshot=zfs\n[backup_sources]\nm-2\n');
    expect(list).toMatch(/^4: .*: `backup_source_path` of m-1, m-3; .*: `backup_source_snapshot` of m-1, m-3$/m);
  });

  it('a deployment that only some hosts state', () => {
    const list = listed(
      '[x]\na deployment_prefix=prod\nb deployment=qa\nc ansible_host="{{ deployment }}-c" deployment=qa\n',
    );
    expect(list).toMatch(/^4: the deployment `prod` is not carried/m);
    expect(list).toMatch(/^5: the deployment `qa` is not carried/m);
    expect(list).toMatch(/^6: the deployment `qa` is not carried/m);
  });

  it('a second jump, and the port of one that has another', () => {
    const list = listed(
      '[x]\na ansible_ssh_common_args="-J j" ansible_ssh_extra_args="-J k"\nb ansible_ssh_common_args="-J a:2201"\n',
    );
    expect(list).toMatch(/^4: a jumps through j already/m);
    expect(list).toMatch(/^5: the jump host a is reached at port 2201 here/m);
  });
});

describe('stores', () => {
  const SOURCE = '[backup_sources]\na btrfs_backup_source=yes btrfs_backup_source_path=/srv\n';

  it.each([
    { source: 'a', target: 't', host: 'main', name: 'main-2' },
    { source: 'prod-a', target: 'prod-t', host: 'prod-main', name: 'prod-main' },
  ])('a remote called $host takes no other store its name', ({ source, target, host, name }) => {
    const text = `[backup_sources]\n${source} btrfs_backup_source=yes\n[backup_targets]\n${target}\n[backup_remote]\n${host}\n`;
    const made = parseRunbook({ text: importAnsible({ text, file: 'i' }).yaml, file: 'out' });
    expect(made.stores).toMatchObject({ main: { host: target }, [name]: { host } });
    expect(made.groups.fleet).toMatchObject({ target: 'main', remote: name });
  });

  it('a group that is there and not understood is not told to be missing', () => {
    const text = `all:
  children:
    backup_sources: { hosts: { a: { backup_source_path: /srv } } }
    backup_targets: { hosts: t }
`;
    const list = reasons(importAnsible({ text, file: 'i.yml' }).notCarried);
    expect(list).toMatch(/^1: no host of \[backup_targets\] is understood/m);
    expect(list).toMatch(/^3: its source `\/srv` is not carried, as there is no target/m);
    expect(list).not.toMatch(/there is no group/);
  });

  it('a target that is the remote too, and each that nothing goes to', () => {
    const text = `${SOURCE}[backup_targets]\nt\nt2\n[backup_remote]\nt\nr\nr2\n`;
    const { yaml, notCarried } = importAnsible({ text, file: 'i' });
    expect(parse(yaml)).toMatchObject({ groups: { fleet: { target: 'main', remote: 'r' } } });
    const told = notCarried.filter(({ reason }) => /nothing goes there|the remote too/.test(reason));
    expect(told.map(({ text: host }) => host)).toEqual(['t', 't2', 'r2']);
  });

  it.each([
    ['place=/srv/backup', 'hardlink', 'kind hardlink', {}],
    ['place=/srv/backup backup_store_compression=zstd', 'btrfs', 'kind btrfs', {}],
    ['place=tank/b', 'zfs', 'kind zfs, compression gzip-7', { compression: 'gzip-7' }],
    ['kind=zfs backup_store_place=tank/b', 'zfs', 'compression gzip-7', {}],
    ['compression=lz4', 'zfs', 'kind zfs, place `backup`', { compression: 'lz4' }],
  ])('with %s: what is assumed fits, and is listed', (variables, kind, assumed, more) => {
    const text = `${SOURCE}[backup_targets]\nt backup_store_${variables}\n`;
    const { yaml, notCarried } = importAnsible({ text, file: 'i' });
    expect(parseRunbook({ text: yaml, file: 'out' }).stores.main).toMatchObject({ kind, ...more });
    expect(reasons(notCarried)).toBe(`4: assumed for the store of t: ${assumed}; check it`);
  });
});

test('what is assumed beside is listed: the snapshot kind of a path, the deployment of the names', () => {
  const text =
    '[backup_sources]\nprod-a backup_source_path=/d\n[backup_targets]\nprod-t backup_store_kind=btrfs backup_store_place=/b\n';
  const { yaml, notCarried } = importAnsible({ text, file: 'i' });
  expect(parse(yaml)).toMatchObject({ deployment: 'prod', groups: { fleet: { sources: [{ snapshot: 'none' }] } } });
  const list = reasons(notCarried);
  expect(list).toMatch(/^2: snapshot none is assumed for the paths of prod-a/m);
  expect(list).toMatch(/^2: .*`prod` is assumed, as all names begin with it/m);
});

describe('values', () => {
  it('a value of ansible-vault is left out and listed', () => {
    const text = `all:
  vars: { word: !vault "x" }
  children:
    backup_sources:
      hosts:
        a:
          ansible_user: !vault |
            $ANSIBLE_VAULT;1.1;AES256
            3132
          ansible_host: "{{ word }}"
          btrfs_backup_source: true
          btrfs_backup_source_path: !vault "abc"
          backup_source_paths: [/d, !vault "abc"]
          backup_source_snapshot: btrfs
    backup_targets: { hosts: { t: { backup_store_kind: btrfs, backup_store_place: /b } } }
`;
    const { yaml, notCarried } = importAnsible({ text, file: 'i.yml' });
    expect(parse(yaml)).toMatchObject({ hosts: { a: { labels: ['backup_sources'] } } });
    expect(yaml).not.toMatch(/VAULT|abc|admin_user|address/);
    expect(parseRunbook({ text: yaml, file: 'out' }).groups.fleet?.sources.map(({ path }) => path)).toEqual(['/d']);
    const list = reasons(notCarried);
    for (const line of ['7: `ansible_user`', '12: `btrfs_backup_source_path`', '13: `backup_source_paths`'])
      expect(list).toMatch(new RegExp(`^${line} is encrypted by ansible-vault`, 'm'));
    expect(list).toMatch(/^10: `ansible_host` is a template/m);
    expect(list).toMatch(/^11: the btrfs source of a is not carried, as its path is not/m);
  });

  it.each([
    ["['/srv/a,b', '/srv/c']", ['/srv/a,b', '/srv/c']],
    ['["a\'b", 2, True, None, bare word,]', ["a'b", 2, true, null, 'bare word']],
    ["[['a'], []]", [['a'], []]],
    ["['a' 'b']", "['a' 'b']"],
    ["['open", "['open"],
    ["'DOM\\\\user'", 'DOM\\user'],
    ["'a', 'b'", "'a', 'b'"],
    ['0022', '0022'],
    ['-7', -7],
    ['[Cc]ache/', '[Cc]ache/'],
  ])('literal %s', (text, value) => {
    expect(literal(text)).toEqual(value);
  });

  it('words of a host line are split as Ansible does', () => {
    const text = `[x]
a ansible_user="DOM\\user" backup="q\\"\\\\"
b ansible_user=DOM\\\\user
c ansible_user=eva#note
[x:vars]
ansible_ssh_common_args='-J "j"' # a jump
[backup_sources]
s backup_source_paths="['/srv/a,b', '/srv/c']" backup_source_snapshot=btrfs
s2 backup_source_paths="('/a', '/b')"
[backup_targets]
t backup_store_kind=btrfs
`;
    const { yaml, notCarried } = importAnsible({ text, file: 'i' });
    expect(parse(yaml)).toMatchObject({
      hosts: {
        a: { admin_user: 'DOM\\user', via: 'j' },
        b: { admin_user: 'DOM\\user' },
        c: { admin_user: 'eva' },
      },
      groups: { fleet: { sources: [{ path: '/srv/a,b' }, { path: '/srv/c' }] } },
    });
    expect(reasons(notCarried)).toMatch(/^9: `backup_source_paths` is a list or map written as text/m);
  });
});

describe('secrets are named and never shown', () => {
  it.each([
    ["x ansible_user=a ansible_password='s3 c' b=1", 'x ansible_user=a ansible_password=[redacted]'],
    ['{ user: x, "api_key": s3, z: 1 }', '{ user: x, "api_key":[redacted]'],
    ['ansible_become_pass: s3', 'ansible_become_pass:[redacted]'],
    ['VAULT_TOKEN = s3', 'VAULT_TOKEN =[redacted]'],
    ['ssh_host_key_data: s3', 'ssh_host_key_data:[redacted]'],
    ['db_url=mysql://eva:s3@db/x', 'db_url=mysql://[redacted]@db/x'],
    ['a="sshpass -p s3 ssh -W %h:%p j"', 'a="sshpass -p [redacted] ssh -W %h:%p j"'],
    ['ansible_ssh_private_key_file=/root/.ssh/id', 'ansible_ssh_private_key_file=/root/.ssh/id'],
    ['[vault:vars]', '[vault:vars]'],
  ])('%s', (text, shown) => {
    expect(withoutSecrets(text)).toBe(shown);
  });

  it('neither in the line nor in the reason', () => {
    const ini = `[x]
a ansible_password='s3cr3t'
b ansible_password=two s3cr3t
c ansible_ssh_common_args="-o ProxyCommand='SSHPASS=s3cr3t sshpass -e ssh j'"
[y:children]
x token=s3cr3t
[y:things]
password=s3cr3t
`;
    const yml = `all:
  vars: { db_password: s3cr3t }
  hosts:
    a: password=s3cr3t
    b: { key_data: s3cr3t, colour: red }
`;
    const block = 'key_data: |\n   begin\n s3cr3t\n';
    const broken = 'key_data: "begin\ns3cr3t: \nend"\ntoken: s3cr3t\ntoken: s3cr3t\n';
    const told = [
      ...importAnsible({ text: ini, file: 'i' }).notCarried,
      ...importAnsible({ text: yml, file: 'i.yml' }).notCarried,
      ...importAnsible({
        text: 'a\n',
        file: 'i',
        variables: [block, broken].map((text) => ({ file: 'all.yml', text, scope: 'group', name: 'all' })),
      }).notCarried,
    ];
    expect(told.length).toBeGreaterThan(8);
    expect(JSON.stringify(told)).not.toContain('s3cr3t');
    expect(reasons(told)).toMatch(/^2: no counterpart in a runbook: `ansible_password`$/m);
    expect(reasons(told)).toMatch(/^1: not valid YAML: .*: nothing of the file is carried$/m);
  });
});

describe('oddities', () => {
  it.each([
    ['web[01:03]', ['web01', 'web02', 'web03']],
    ['db-[a:c].x', ['db-a.x', 'db-b.x', 'db-c.x']],
    ['n[0:6:3]', ['n0', 'n3', 'n6']],
    ['r[1:2]h[1:2]', ['r1h1', 'r1h2', 'r2h1', 'r2h2']],
    ['[8:10]', ['8', '9', '10']],
    ['plain', ['plain']],
  ])('range %s', (pattern, hosts) => {
    expect(expandRange(pattern)).toEqual(hosts);
  });

  it.each(['a[', 'a[1:]', 'a[3:1]', 'a[01:100]', 'a[1:b]', 'a[0:999999999]', 'a[1:2:0]'])(
    'range %s makes no sense',
    (pattern) => {
      expect(expandRange(pattern)).toBeNull();
    },
  );

  it.each([
    ['ssh -J', '-J jump.example.org:2200', 'jump.example.org'],
    ['ProxyCommand', '-o ProxyCommand="ssh -W %h:%p -q me@jump.example.org"', 'jump.example.org'],
  ])('a jump by %s adds the host', (_, args, via) => {
    const { yaml, notCarried } = importAnsible({ text: `[x]\na ansible_ssh_common_args='${args}'\n`, file: 'i' });
    const { hosts } = parseRunbook({ text: yaml, file: 'out' });
    expect(hosts.a?.via).toBe(via);
    expect(Object.keys(hosts)).toContain(via);
    expect(reasons(notCarried)).not.toMatch(/ssh arguments/);
  });

  it('says when a quote stays open, a source has no kind, a flag has no group', () => {
    const text = '[backup_sources]\na\n[x]\nb lvm_backup_source=yes\nc k="open\n[backup_targets]\nt\n';
    const list = reasons(importAnsible({ text, file: 'i' }).notCarried);
    expect(list).toMatch(/^2: is a backup source, but no kind is switched on/m);
    expect(list).toMatch(/^4: b is in no group \[backup_sources\]/m);
    expect(list).toMatch(/^5: has a quote that is not closed/m);
  });

  it('INI: lists a child that is no group, words after one, and what begins like a section', () => {
    const text =
      '[x:children]\nnosuch\nweb  stray words=1\nlater\n[web]\na\n[weird line\nlost ansible_port=4\n[odd] y\nz\n[later]\n[a:b].example.org\n';
    const list = reasons(importAnsible({ text, file: 'i' }).notCarried);
    expect(list).toMatch(/^2: there is no group \[nosuch\]/m);
    expect(list).toMatch(/^3: `stray` stands after a group's name/m);
    expect(list).toMatch(/^3: `words=1` stands after/m);
    expect(list).not.toMatch(/\[later\]|\[web\]/);
    expect(list).toMatch(/^7: begins like a section and is none/m);
    expect(list).toMatch(/^8: stands in a section that is not understood/m);
    expect(list).toMatch(/^9: begins like a section/m);
    expect(list).toMatch(/^10: stands in a section/m);
    expect(list).not.toMatch(/^1[12]: /m);
  });

  it('YAML: lists what is no map where one must stand', () => {
    const text = `all:
  children:
    web:
      hosts: [a-1, a-2]
    unk: foo
    none:
    more:
      children: [web]
      vars: 7
      hosts: { b: text, c: }
`;
    const { notCarried } = importAnsible({ text, file: 'i.yml' });
    const list = reasons(notCarried);
    expect(list).toMatch(/^4: `hosts` is a map .* here is a list$/m);
    expect(list).toMatch(/^5: a group is a map .* here is the text "foo"$/m);
    expect(list).toMatch(/^8: `children` is a map/m);
    expect(list).toMatch(/^9: what holds variables is a map .* here is the number 7$/m);
    expect(list).toMatch(/^10: what holds variables is a map .* here is the text "text"$/m);
    expect(list).not.toMatch(/^6: /m);
    expect(reasons(importAnsible({ text: '- a\n- b\n', file: 'i.yml' }).notCarried)).toMatch(
      /^1: an inventory is a map/m,
    );
  });

  it.each(['', '# nothing\n'])('an empty inventory is named: %j', (text) => {
    expect(importAnsible({ text, file: 'prod/hosts' }).notCarried).toMatchObject([{ file: 'prod/hosts', line: 1 }]);
    expect(importAnsible({ text, file: 'prod.yml' }).notCarried).toMatchObject([{ file: 'prod.yml', line: 1 }]);
  });

  it('refuses a program and a plugin, and says what to do', () => {
    expect(() => importAnsible({ text: '#!/bin/sh\n', file: 'i' })).toThrow(/ansible-inventory -i i --list --yaml/);
    expect(() => importAnsible({ text: 'plugin: aws_ec2\n', file: 'i.yml' })).toThrow(/inventory plugin/);
  });
});
