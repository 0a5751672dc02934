import { join } from 'node:path'
import { expect } from 'vitest'
import { assetContext, obtainProbe } from '../../../src/assets/resolve.ts'
import { kubernetes } from '../../../src/constants.ts'
import { silent } from '../../../src/events.ts'
import { ensure, get, isReady, type KubeList, type Pod, type Target, targetOf } from './client.ts'
import { mustRun } from './holdfast.ts'
import { mustKubectl } from './kubectl.ts'
import { machinesOf } from './machines.ts'
import { clusterName, home } from './place.ts'
import { defined, eventually } from './wait.ts'

const image = 'holdfast.dev/probe:1'
const label = 'node-role.kubernetes.io/control-plane'

/** A program that answers with its pod's name, in two Deployments: on the workers, and on the masters. */
export async function deployProbe(cluster = clusterName): Promise<void> {
  const target = targetOf(cluster)
  const from = { kubernetesVersion: kubernetes.defaultVersion, cache: home().cache, report: silent }
  const probe = defined(await obtainProbe(await assetContext(from)), 'probe image (it needs Go)')
  await mustRun(['load', 'image', join(probe.dir, 'probe.tar'), '--name', cluster])
  const tolerations = [{ key: label, operator: 'Exists', effect: 'NoSchedule' }]
  await deploy(target, 'on-workers', 1, {})
  await deploy(target, 'on-masters', (await machinesOf('master', cluster)).length, {
    tolerations,
    nodeSelector: { [label]: '' },
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'on-masters' } } },
        ],
      },
    },
  })
}

async function deploy(target: Target, name: string, replicas: number, where: object): Promise<void> {
  const labels = { app: name }
  // A pod on a dead machine is given up at once, not after the usual five minutes.
  const soon = ['not-ready', 'unreachable'].map((what) => ({
    key: `node.kubernetes.io/${what}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 5,
  }))
  const { tolerations = [], ...rest } = where as { tolerations?: object[] }
  const container = { name: 'probe', image, imagePullPolicy: 'Never' }
  const ready = { readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 } }
  await ensure(target, '/apis/apps/v1/namespaces/default/deployments', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      strategy: { type: 'Recreate' },
      template: {
        metadata: { labels },
        spec: {
          ...rest,
          terminationGracePeriodSeconds: 1,
          tolerations: [...tolerations, ...soon],
          containers: [{ ...container, ...ready }],
        },
      },
    },
  })
  await ensure(target, '/api/v1/namespaces/default/services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  })
}

/** The ready pods of one Deployment. */
export async function probes(target: Target, name: string): Promise<Pod[]> {
  const selector = encodeURIComponent(`app=${name}`)
  const path = `/api/v1/namespaces/default/pods?labelSelector=${selector}`
  const { items } = await get<KubeList<Pod>>(target, path)
  return items.filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp)
}

/**
 * Every pod on the masters reaches the Service of the one on the worker by its name, and the other way
 * round every single pod behind the masters' Service is reached. Every master of the cluster must take part.
 */
export async function servicesWork(cluster = clusterName, timeoutMs = 90_000): Promise<void> {
  const target = targetOf(cluster)
  const masters = (await machinesOf('master', cluster)).map(({ id }) => id).sort()
  const ask = async (pod: Pod, url: string): Promise<string> => {
    const words = ['exec', pod.metadata.name, '--', '/probe', 'get', url, '3s']
    return (await mustKubectl(words, { cluster, timeoutMs: 15_000 })).trim()
  }
  await eventually(
    'Services are reached by name from other machines',
    timeoutMs,
    async () => {
      const above = await probes(target, 'on-masters')
      const below = await probes(target, 'on-workers')
      expect(above.map(({ spec }) => spec.nodeName).sort()).toEqual(masters)
      const worker = defined(below[0], 'ready pod on a worker')
      expect(masters).not.toContain(worker.spec.nodeName)

      for (const pod of above) {
        expect(await ask(pod, 'http://on-workers.default.svc.cluster.local/')).toBe(worker.metadata.name)
        expect(await ask(worker, `http://${pod.status.podIP}:8080/`)).toBe(pod.metadata.name)
      }
      const names = above.map(({ metadata }) => metadata.name).sort()
      const met = new Set<string>()
      for (let tries = 0; tries < 30 && met.size < names.length; tries++) {
        met.add(await ask(worker, 'http://on-masters.default/'))
      }
      expect([...met].sort()).toEqual(names)
    },
    1_000,
  )
}
