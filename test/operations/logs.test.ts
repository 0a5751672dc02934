import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { podLogScript } from '../../src/operations/logs.ts'

/** As kubelet lays them out. */
function pods(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pods-'))
  const write = (pod: string, file: string, text: string, time: number): void => {
    const path = join(folder, pod, file)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text)
    utimesSync(path, time, time)
  }
  write('kube-system_etcd-main-node-1_0a', 'etcd/0.log', 'an earlier start\n', 1_000)
  write('kube-system_etcd-main-node-1_0a', 'etcd/1.log', 'one\ntwo\nthree\n', 2_000)
  write('kube-system_etcd-events-node-1_0b', 'etcd/0.log', 'events\n', 1_000)
  write('default_my-kube-proxy-1_0c', 'proxy/0.log', 'somebody’s\n', 1_000)
  mkdirSync(join(folder, 'kube-system_kube-apiserver-node-1_0d', 'kube-apiserver'), { recursive: true })
  return folder
}

const show = (component: string, lines = '10') =>
  spawnSync('sh', ['-c', podLogScript(pods()), 'logs', component, lines], {
    encoding: 'utf8',
    // Where no file is found nothing may wait for what is typed.
    input: 'typed\n',
    timeout: 5_000,
  })

test('the newest log of the component’s container, so many lines', () => {
  expect(show('etcd-main', '2')).toMatchObject({ status: 0, stdout: 'two\nthree\n', stderr: '' })
})

test.each(['kube-proxy', 'kube-apiserver', 'coredns'])('no log of %s: it says so, and fails', (component) => {
  expect(show(component)).toMatchObject({
    status: 1,
    stdout: '',
    stderr: `there is no log of ${component} here yet\n`,
  })
})
