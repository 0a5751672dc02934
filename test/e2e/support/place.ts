import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { resolveHome } from '../../../src/home.ts'

/**
 * Where the end-to-end tests live: one folder with a fixed name, so that a run that was killed is found
 * and cleaned up by the next. Nothing here touches the caller's own home or kubeconfig.
 */
export const project = resolve(import.meta.dirname, '../../..')
export const base = join(tmpdir(), 'holdfast-e2e')
export const homeFolder = join(base, 'home')
/** The process that runs the tests: another run waits for it to end. */
export const ownerFile = join(base, 'owner')
/** What the files of one run tell each other. */
export const stateFile = join(base, 'state.json')
/** Everything that was printed by the commands that were run. */
export const transcript = join(base, 'transcript.log')
/** A user's kubeconfig that holds something already. */
export const kubeconfigFile = join(base, 'user', 'config')

/** The cluster that all the files share, and a small one beside it. */
export const clusterName = 'e2e'
export const smallName = 'small'

export const home = () => ({
  ...resolveHome({ HOLDFAST_HOME: homeFolder }),
  cache: resolveHome({ ...process.env, HOLDFAST_HOME: homeFolder }).cache,
})

/** With KEEP the cluster stays for the next run: for working on these tests. */
export const keep = process.env.HOLDFAST_E2E_KEEP === '1'

/** The kubeconfig that is there before: somebody else's context, with their comments and order. */
export const kubeconfigBefore = `# my clusters
apiVersion: v1
kind: Config
current-context: work   # the one I use most
contexts:
  - {name: work, context: {cluster: work, user: me, namespace: shop}}
clusters:
  - name: work
    cluster: {server: "https://work.example.com:6443"}
users:
  - name: me
    user:
      token: not-a-secret
preferences: {colors: true}
`
