/** Whether data can go its way, looked at before anything is frozen for it. */
import { reach } from '../../hosts/replies/reading';
import { describeAsRoot } from './support';
import { SshBox } from './support-sshd';

describeAsRoot('the way to a peer', () => {
  const at = new SshBox();
  beforeAll(() => at.start());
  afterAll(() => {
    at.box.close();
  });
  const asked = (peer: string, port: number, host = '127.0.0.1') =>
    at.box.ask('reach', { peer, peer_host: host, peer_port: String(port) });

  it('is there where its ssh answers', () => {
    expect(reach.parse(asked('app-1', at.port))).toEqual({ reached: true, said: '' });
  });

  it('is not where nothing listens, or the name means nothing: why is told', () => {
    expect(reach.parse(asked('app-1', 1))).toMatchObject({ reached: false });
    expect(reach.parse(asked('app-1', at.port, 'no-such-host.invalid'))).toEqual({
      reached: false,
      said: expect.stringMatching(/no-such-host.invalid/) as string,
    });
  });

  it('to others than peers is not looked for', () => {
    expect(asked('app-2', at.port)).toMatchObject({ ok: false, code: 'not-allowed' });
    expect(asked('app-1.x', at.port)).toMatchObject({ ok: false, code: 'not-allowed' });
  });

  it.each(['-oProxyCommand=x', '127.0.0.1 127.0.0.2', '127.0.0.1;id', '/etc/passwd'])(
    'a host "%s" is refused',
    (host) => {
      expect(asked('app-1', at.port, host)).toMatchObject({ ok: false, code: 'bad-request' });
    },
  );
});
