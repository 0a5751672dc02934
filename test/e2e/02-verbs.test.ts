import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isReady, type KubeList, type Node, nodes, targetOf } from './support/client.ts'
import { askJson, holdfast, mustRun, startHoldfast } from './support/holdfast.ts'
import { inside, machinesOf, masterOf, tryInside } from './support/machines.ts'
import { base, clusterName } from './support/place.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { defined, eventually } from './support/wait.ts'

beforeAll(async () => {
  await sharedCluster()
})

describe('what is there is listed', () => {
  test('machines, volumes and instance groups, for people and for programs', async () => {
    const masters = (await machinesOf('master')).map(({ id }) => id)
    const table = await mustRun(['get', 'machines', clusterName])
    for (const id of masters) expect(table).toMatch(new RegExp(`^${id} .*running`, 'm'))
    const machines = await askJson<{ id: string }[]>(['get', 'machines', clusterName])
    expect(machines).toHaveLength(4)
    const volumes = await askJson<{ attachedTo?: string }[]>(['get', 'volumes', clusterName])
    expect(volumes).toHaveLength(6)
    expect(new Set(volumes.map(({ attachedTo }) => attachedTo))).toEqual(new Set(masters))
    const groups = await mustRun(['get', 'instancegroups', '--name', clusterName])
    for (const name of ['master-a', 'master-b', 'master-c', 'nodes']) expect(groups).toContain(name)
  })
})

describe('a machine is looked into', () => {
  test('logs of the agent, of kubelet and of a static pod, and what comes while one waits', async () => {
    const { id } = await masterOf('a')
    expect(await mustRun(['logs', id, '--name', clusterName])).toContain(`agent of ${id}`)
    expect(await mustRun(['logs', id, '-c', 'kubelet', '--name', clusterName])).toMatch(/kubelet\[\d+\]/)
    expect(await mustRun(['logs', id, '-c', 'etcd-main', '--name', clusterName])).toContain('"level":"info"')

    const following = startHoldfast(['logs', id, '-c', 'system', '-f', '--name', clusterName], 30_000)
    let seen = ''
    following.child.stdout?.on('data', (text: string) => {
      seen += text
    })
    await eventually('a new line is shown', 15_000, async () => {
      await inside({ id }, 'logger written-while-followed')
      expect(seen).toContain('written-while-followed')
    })
    following.child.kill('SIGINT')
    await following.done
  })

  test('a command in it, with its exit code', async () => {
    const { id, address } = await masterOf('b')
    expect(await mustRun(['shell', '--name', clusterName, id, 'ip', '-4', '-br', 'address'])).toContain(
      address,
    )
    expect((await holdfast(['shell', '--name', clusterName, id, 'sh', '-c', 'exit 7'])).code).toBe(7)
  })

  test('one that is not there is an error, naming those that are', async () => {
    const ran = await holdfast(['logs', 'master-z-1', '--name', clusterName])
    expect(ran.code).not.toBe(0)
    expect(ran.err).toContain((await masterOf('a')).id)
  })
})

describe('the bundled kubectl and the exported kubeconfig', () => {
  test('kubectl speaks to this cluster, and its exit code is handed on', async () => {
    const listed = await mustRun(['--name', clusterName, 'kubectl', 'get', 'nodes', '-o', 'json'])
    const { items } = JSON.parse(listed) as KubeList<Node>
    expect(items).toHaveLength(4)
    const ran = await holdfast(['--name', clusterName, 'kubectl', 'get', 'pod', 'nowhere'])
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('NotFound')
  })

  test('export kubeconfig writes where it is told, and it works', async () => {
    const file = join(base, 'exported')
    await mustRun(['export', 'kubeconfig', clusterName, '--kubeconfig', file])
    expect(await nodes(targetOf(clusterName, file))).toHaveLength(4)
  })
})

describe('a running cluster is changed by its declaration', () => {
  test('edited: the plan is shown first, update carries it out', async () => {
    const editor = join(base, 'editor')
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/^  size: 1$/  size: 2/" "$1"\n')
    chmodSync(editor, 0o755)
    const edited = startHoldfast(['edit', 'ig', 'nodes', '--name', clusterName], 30_000, { EDITOR: editor })
    expect((await edited.done).code).toBe(0)
    expect(await machinesOf('node')).toHaveLength(1)
    const planned = await holdfast(['update', 'cluster', clusterName])
    expect(planned.out).toMatch(/nodes/)
    expect(await machinesOf('node')).toHaveLength(1)

    await mustRun(['update', 'cluster', clusterName, '--yes'])
    await mustBeWell()
    expect(await machinesOf('node')).toHaveLength(2)
  })

  test('replaced from a file: back to one worker', async () => {
    const declared = await mustRun(['get', 'cluster', clusterName, '-o', 'yaml'])
    const file = join(base, 'replaced.yaml')
    writeFileSync(file, declared.replace(/^( *)size: 2$/m, '$1size: 1'))
    await mustRun(['replace', '-f', file])
    await mustRun(['update', 'cluster', clusterName, '--yes'])
    await mustBeWell()
    expect(await machinesOf('node')).toHaveLength(1)
  })
})

describe('create and update, with a network of one’s own', () => {
  const own = 'own-cni'
  afterAll(async () => {
    await holdfast(['delete', 'cluster', own, '--yes'])
  })

  test('declared, planned, made; its node is ready once the user’s network is there', async () => {
    const words = ['--cloud', 'local', '--masters', '1', '--workers', '0', '--networking', 'cni']
    const created = await mustRun(['create', 'cluster', own, ...words])
    expect(created).toMatch(/update cluster own-cni --yes/)
    expect(await machinesOf('master', own)).toEqual([])
    await mustRun(['update', 'cluster', own, '--yes'])

    const master = defined((await machinesOf('master', own))[0], 'master')
    const validated = await mustRun(['validate', 'cluster', own, '--wait', '2m'])
    expect(validated).toContain('waits for the pod network that you bring')
    await mustRun(['export', 'kubeconfig', own])
    const target = targetOf(own)
    const ready = async () => (await nodes(target)).map((node) => isReady(node))
    expect(await ready()).toEqual([false])
    expect((await tryInside(master, 'ls /etc/cni/net.d')).stdout).toBe('')

    await inside(
      master,
      `mkdir -p /etc/cni/net.d && cat >/etc/cni/net.d/10-own.conflist <<'END'\n${conflist}\nEND`,
    )

    await eventually('the node is ready', 60_000, async () => expect(await ready()).toEqual([true]))
    await mustBeWell(own, '2m')
  })
})

const conflist = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'own',
  plugins: [
    {
      type: 'bridge',
      bridge: 'own0',
      isGateway: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.77.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
})
