import { connect } from 'node:tls'
import { beforeAll, expect, test } from 'vitest'
import { get, targetOf } from './support/client.ts'
import { nothingLost } from './support/expectations.ts'
import { inside, masterOf } from './support/machines.ts'
import { clusterName } from './support/place.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { eventually } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

const dayMs = 24 * 3600 * 1000

beforeAll(sharedCluster)

test('certificates of kubeadm near their end are made again while their master works', async () => {
  const master = await masterOf('b')
  const target = targetOf(clusterName)
  const pids = await controllers()
  // As if they had been made 355 days ago.
  await inside(
    master,
    `sed 's/"kind": "ClusterConfiguration",/& "certificateValidityPeriod": "240h0m0s",/' /etc/holdfast/kubeadm.yaml >/run/short.yaml &&
    for what in apiserver apiserver-kubelet-client admin.conf controller-manager.conf scheduler.conf; do
      kubeadm certs renew $what --config=/run/short.yaml || exit 1
    done`,
    120_000,
  )
  await eventually('it serves with the short one', 120_000, async () =>
    expect(await daysServed()).toBeLessThan(11),
  )
  const writer = await startWriter(target)

  await inside(master, 'systemctl restart holdfast-agent')

  await eventually('it serves with one for a year', 120_000, async () =>
    expect(await daysServed()).toBeGreaterThan(360),
  )
  await eventually('the controllers run with theirs', 60_000, async () => {
    const now = await controllers()
    expect(now).toHaveLength(2)
    for (const pid of now) expect(pids).not.toContain(pid)
  })
  for (const name of ['kube-controller-manager', 'kube-scheduler']) {
    await eventually(`${name}: its pod tells until when`, 60_000, async () => {
      const path = `/api/v1/namespaces/kube-system/pods/${name}-${master.id}`
      const pod = await get<{ metadata: { annotations: Record<string, string> } }>(target, path)
      const expires = pod.metadata.annotations['holdfast.dev/certificate-expires'] ?? ''
      expect(Date.parse(expires) - Date.now()).toBeGreaterThan(360 * dayMs)
    })
  }
  const files = await inside(
    master,
    'ls /etc/kubernetes; journalctl --no-pager -q -b -u holdfast-agent | grep "made again" | tail -n 1',
  )
  expect(files).toMatch(
    /made again: .*pki\/apiserver.crt.*pki\/apiserver-kubelet-client.crt.*admin.conf.*controller-manager.conf.*scheduler.conf/,
  )
  expect(files).not.toMatch(/^super-admin.conf$/m)
  const writes = await writer.stop()
  nothingLost(writes, 10)
  expect(writes.failed).toBeLessThanOrEqual(Math.ceil(writes.sent * 0.03))
  await mustBeWell()

  async function controllers(): Promise<string[]> {
    const found = await inside(master, 'pgrep -x "kube-controller|kube-scheduler"; true')
    return found.split('\n').filter(Boolean)
  }

  function daysServed(): Promise<number> {
    return new Promise((resolve, reject) => {
      const socket = connect(
        { host: master.address, port: 6443, rejectUnauthorized: false, timeout: 5_000 },
        () => {
          const end = Date.parse(socket.getPeerCertificate().valid_to)
          socket.destroy()
          resolve((end - Date.now()) / dayMs)
        },
      )
      socket.once('error', reject)
      socket.once('timeout', () => socket.destroy(new Error('no answer')))
    })
  }
})
