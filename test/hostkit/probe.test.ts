import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { probe } from '../../hosts/replies/reading';
import { Box, SHELLS, describeAsRoot } from './support';
import type { Shell } from './support';

describeAsRoot('S28 whom a host knows', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeEach(() => {
      box = new Box({ shell });
    });
    afterEach(() => {
      box.close();
    });
    const told = () => {
      const { identity, peers } = probe.parse(box.ask('probe'));
      return { identity, peers };
    };
    const ownKey = () => probe.parse(box.ask('probe')).identityKey;
    /** A key of that name and its fingerprint as ssh-keygen says it. */
    function key(name: string): { text: string; print: string } {
      const file = box.file(name);
      spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `root@${name} with words`, '-f', file]);
      const print = spawnSync('ssh-keygen', ['-lf', `${file}.pub`], { encoding: 'utf8' }).stdout.split(' ')[1] ?? '';
      return { text: fs.readFileSync(`${file}.pub`, 'utf8'), print };
    }
    const etc = (name: string, text: string) => {
      fs.writeFileSync(box.file(`etc/resurgo/${name}`), text, { mode: 0o600 });
    };

    it('its own identity and its peers, by their fingerprints', () => {
      const [own, one, other] = [key('own'), key('one'), key('other')];
      const line = (name: string, text: string) =>
        `${name} namespaces="resurgo-grant" ${text.split(' ').slice(0, 2).join(' ')}\n`;
      etc('host.key.pub', own.text);
      etc('peers', line('app-1', one.text) + line('target', other.text));
      expect(told()).toEqual({ identity: own.print, peers: { 'app-1': one.print, target: other.print } });
    });

    it('its own identity as the key that another host can be told of; none where there is none', () => {
      etc('peers', '# no peers\n');
      expect(ownKey()).toBeUndefined();
      const own = key('own');
      etc('host.key.pub', own.text);
      expect(ownKey()).toBe(own.text.split(' ').slice(0, 2).join(' '));
      etc('host.key.pub', 'ssh-ed25519 AAAA nothing\n');
      expect(ownKey()).toBeUndefined();
    });

    it('the run that has made this system again, and none where there is no such mark', () => {
      const mark = () => probe.parse(box.ask('probe')).recovered;
      expect(mark()).toBeNull();
      etc('recovered', 'recover-20261129-1\n');
      expect(mark()).toBe('recover-20261129-1');
      etc('recovered', 'no run\n');
      expect(mark()).toBeNull();
    });

    it('nobody, and what is no key is left out', () => {
      expect(told()).toEqual({ identity: undefined, peers: undefined });
      etc('peers', '# no peers\n');
      expect(told()).toEqual({ identity: undefined, peers: {} });
      const own = key('own');
      etc('host.key.pub', own.text);
      etc('peers', 'app-1 namespaces="resurgo-grant" ssh-ed25519 AAAA\n');
      expect(told()).toEqual({ identity: own.print, peers: {} });
    });
  });
});
