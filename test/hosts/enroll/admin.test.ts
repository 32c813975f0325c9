/** The administrator's way in: what is said when it leads nowhere, and that each wait on it has an end. */
import type { AddressInfo } from 'node:net';
import { Server, utils, type Connection } from 'ssh2';
import { AdminShell, type AdminOptions } from '../../../hosts/enroll/admin';
import { parsePublicKey } from '../../../hosts/known-hosts';
import { newOpensshKey } from '../../../hosts/openssh-key';
import { freePort, makeSshd } from '../support/sshd';

const privateKey = newOpensshKey({ comment: 'admin' });
const key = utils.parseKey(privateKey);
if (key instanceof Error) throw key;
const publicKey = `${key.type} ${key.getPublicSSH().toString('base64')}`;
const access: Pick<AdminOptions, 'admin' | 'trust'> = {
  admin: { login: { privateKey } },
  trust: () => ({ pinned: [parsePublicKey(publicKey)] }),
};

test('a connection that fails names the command and the step', async () => {
  const host = { name: 'app-1', address: '127.0.0.1', port: await freePort(), user: 'root' };
  await expect(AdminShell.open({ verb: 'unenroll', host, ...access })).rejects.toThrow(
    /^app-1: unenroll \(step connect\): .*ECONNREFUSED.* \[unreachable\] Next: check that the host is up/,
  );
});

test.each([
  ['none', undefined, /asks for a password.*--ask-sudo: run `resurgo keys rotate` again/],
  ['a wrong one', 'wrong', /refused the password.*--ask-sudo/],
])(
  'where sudo wants a password and has got %s, the option that asks for it is named',
  async (_, sudoPassword, said) => {
    const sshd = makeSshd({ port: await freePort(), forceCommand: false });
    try {
      sshd.authorize([`command="[ \\"$SSH_ORIGINAL_COMMAND\\" = 'id -u' ] && echo 1000" ${publicKey}`]);
      await sshd.start();
      const trust = () => ({ pinned: [sshd.hostKey] });
      const admin = { login: { privateKey }, sudoPassword };
      const failing = AdminShell.open({ verb: 'keys rotate', host: sshd.ref(), admin, trust });
      await expect(failing).rejects.toMatchObject({ verb: 'keys rotate', step: 'sudo', code: 'sudo-refused' });
      await expect(failing).rejects.toThrow(said);
    } finally {
      await sshd.remove();
    }
  },
);

test('a jump that gives no answer about the host behind it is not waited for without end', async () => {
  // An sshd answers in the end: of a host that swallows packets, after two minutes.
  const clients: Connection[] = [];
  const jump = new Server({ hostKeys: [privateKey] }, (client) => {
    clients.push(client);
    client.on('authentication', (asked) => {
      asked.accept();
    });
    client.on('tcpip', () => undefined);
    client.on('error', () => undefined);
  });
  let hangUp: NodeJS.Timeout | undefined;
  await new Promise<void>((done) => jump.listen(0, '127.0.0.1', done));
  try {
    hangUp = setTimeout(() => {
      for (const client of clients) client.end();
    }, 3_000);
    const { port } = jump.address() as AddressInfo;
    const via = { name: 'jump', address: '127.0.0.1', port, user: 'root' };
    const host = { name: 'inner', address: '192.0.2.1', user: 'root', via };
    await expect(AdminShell.open({ verb: 'enroll', host, ...access, connectTimeoutMs: 300 })).rejects.toMatchObject({
      host: 'inner',
      step: 'connect',
      code: 'unreachable',
      reason: 'through jump: no answer within 300 ms',
    });
  } finally {
    clearTimeout(hangUp);
    jump.close();
  }
});
