import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { expandRange } from '../../runbooks/ansible/ranges';
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
    expect(listed).toMatch(/^group_vars\/inner:2 is a template that only Ansible can work out/m);
    expect(listed).toMatch(/^group_vars\/nobody.yml:1 the inventory has no group of this name/m);
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
