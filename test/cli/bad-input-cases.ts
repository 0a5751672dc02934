import { hostPackages } from '../../src/assets/host-packages.ts'
import type { HostFacts } from '../../src/clouds/local/preflight-rules.ts'
import { gib, goodHost } from '../clouds/local-acting/good-host.ts'

/** One thing that a user may get wrong. `DIR` stands for the folder it is run in. */
export interface BadInput {
  name: string
  words: string
  /** Files beside the command, by name. */
  files?: Record<string, string>
  env?: Record<string, string>
  /** What is found out about this machine where it is not a good one; no official site answers. */
  machine?: Partial<HostFacts>
  routes?: { cidr: string; device: string }[]
  /** Declared before, by `create cluster` with these words; several are parted by `, `. */
  /** What the editor ends with. */
  editor?: number
  before?: string
  code: number
}

const cluster = (spec: string, name = 'try') =>
  `apiVersion: holdfast.dev/v1\nkind: Cluster\nmetadata:\n  name: ${name}\nspec:\n${spec}`
const group = (name: string, spec: string) =>
  `---\napiVersion: holdfast.dev/v1\nkind: InstanceGroup\nmetadata:\n  name: ${name}\n  cluster: try\nspec:\n${spec}`
const master = group('master-a', '  role: master\n  zones: [a]\n  size: 1\n')

export const badInputs: BadInput[] = [
  { name: 'an unknown verb', words: 'upp', code: 2 },
  { name: 'a cluster without the word', words: 'validate try', code: 2 },
  { name: 'flags of a cluster without the word', words: 'create try --masters 3', code: 2 },
  { name: 'help for an unknown verb', words: 'help create clutser', code: 2 },
  { name: 'an unknown flag', words: 'up --workrs 2', code: 2 },
  { name: 'an unknown thing to list', words: 'get machine-groups', code: 2 },
  { name: 'an unknown flag of kops', words: 'create cluster try --bastion', code: 2 },
  { name: 'no name', words: 'create cluster', code: 2 },
  { name: 'a name that is no DNS name', words: 'create cluster Try_1', code: 2 },
  { name: 'a name that leaves the store', words: 'create cluster ../try', code: 2 },
  { name: 'two names', words: 'create cluster try --name other', code: 2 },
  { name: 'two stores', words: '--state file:///a get clusters --state file:///b', code: 2 },
  { name: 'a file and flags', words: 'create -f c.yaml cluster try', code: 2 },
  { name: 'too many words', words: 'create cluster try other', code: 2 },
  { name: 'an even number of masters', words: 'up try --masters 2', code: 2 },
  { name: 'too many masters', words: 'up try --masters 9', code: 2 },
  { name: 'masters that are no number', words: 'up try --masters three', code: 2 },
  { name: 'a negative number of workers', words: 'up try --workers=-1', code: 2 },
  { name: 'a bad pod range', words: 'up try --pod-cidr 10.244.0.0', code: 2 },
  { name: 'a pod range in IPv6', words: 'up try --pod-cidr fd00::/48', code: 2 },
  {
    name: 'ranges that overlap',
    words: 'up try --pod-cidr 10.96.0.0/16 --service-cidr 10.96.0.0/12',
    code: 2,
  },
  {
    name: 'a range that overlaps a route of the host',
    words: 'up try --pod-cidr 10.50.0.0/16',
    routes: [{ cidr: '10.50.8.0/24', device: 'eth7' }],
    code: 2,
  },
  {
    name: 'a machine range without room',
    words: 'create cluster try --network-cidr 10.99.0.0/28 --masters 5 --workers 20 --dry-run',
    code: 2,
  },
  { name: 'a version that is too old', words: 'up try --kubernetes-version 1.20.0', code: 2 },
  { name: 'a version that is none', words: 'up try --kubernetes-version latest', code: 2 },
  { name: 'a network that is not there yet', words: 'up try --networking calico', code: 2 },
  { name: 'a network that nobody knows', words: 'up try --networking vxlam', code: 2 },
  { name: 'an unknown egress', words: 'up try --egress all', code: 2 },
  { name: 'an empty zone', words: 'up try --zones a,,c', code: 2 },
  { name: 'a zone that is no name', words: 'create cluster try --zones A', code: 2 },
  { name: 'an unknown region', words: 'create cluster try --zones us-west-9a', code: 2 },
  { name: 'zones of two regions', words: 'create cluster try --zones us-west-2a,eu-west-1a', code: 2 },
  { name: 'an unknown cloud', words: 'create cluster try --cloud azure', code: 2 },
  { name: 'a wait that is no duration', words: 'validate cluster try --wait soon', code: 2 },
  { name: 'an unknown form of output', words: 'get clusters -o xml', code: 2 },
  { name: 'a file that is not there', words: 'create -f none.yaml', code: 2 },
  { name: 'an empty file', words: 'create -f c.yaml', files: { 'c.yaml': '' }, code: 2 },
  {
    name: 'a file that is no YAML',
    words: 'create -f c.yaml',
    files: { 'c.yaml': 'kind: [Cluster\n' },
    code: 2,
  },
  {
    name: 'an unknown field',
    words: 'create -f c.yaml',
    files: { 'c.yaml': cluster('  zonse: [a]\n') + master },
    code: 2,
  },
  {
    name: 'a wrong type',
    words: 'create -f c.yaml',
    files: { 'c.yaml': cluster('  zones: a\n') + master },
    code: 2,
  },
  {
    name: 'two groups of one name',
    words: 'create -f c.yaml',
    files: { 'c.yaml': cluster('  zones: [a]\n') + master + master },
    code: 2,
  },
  {
    name: 'a zone that the cluster does not have',
    words: 'create -f c.yaml',
    files: { 'c.yaml': cluster('  zones: [b]\n') + master },
    code: 2,
  },
  {
    name: 'a file of another cluster',
    words: 'create -f c.yaml --name other',
    files: { 'c.yaml': cluster('  zones: [a]\n') + master },
    code: 2,
  },
  {
    name: 'a file of another cluster than the usual one',
    words: 'create -f c.yaml --dry-run',
    files: { 'c.yaml': cluster('  zones: [a]\n') + master },
    env: { HOLDFAST_CLUSTER: 'other' },
    code: 2,
  },
  { name: 'a group alone', words: 'create -f c.yaml', files: { 'c.yaml': master.slice(4) }, code: 2 },
  {
    name: 'a file of kops',
    words: 'create -f c.yaml',
    files: { 'c.yaml': 'apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata:\n  name: try\n' },
    code: 2,
  },
  {
    name: 'several faults at once',
    words: 'create -f c.yaml',
    files: {
      'c.yaml':
        cluster('  zones: [a]\n  egress: some\n  networking:\n    podCidr: nonsense\n') +
        group('master-a', '  role: master\n  zones: [a]\n  size: 4\n'),
    },
    code: 2,
  },
  {
    name: 'no root',
    words: 'up try',
    machine: { root: false },
    code: 2,
  },
  {
    name: 'missing tools',
    words: 'up try',
    machine: {
      hasApt: false,
      missingTools: hostPackages.filter(({ tool }) => ['systemd-nspawn', 'nft'].includes(tool)),
    },
    code: 2,
  },
  {
    name: 'a disk that is too small',
    words: 'up try',
    machine: { disk: goodHost.disk.map((disk) => ({ ...disk, free: 0.5 * gib })) },
    code: 2,
  },
  {
    name: 'a home whose path cannot be used',
    words: 'up try',
    machine: { disk: goodHost.disk.map((disk) => ({ ...disk, path: '/tmp/a,b' })) },
    code: 2,
  },
  {
    name: 'a Go that is too old',
    words: 'up try',
    machine: { go: { version: 'go1.24.4', toolchain: 'local' } },
    code: 2,
  },
  {
    name: 'a kubeconfig that is none',
    words: 'up try',
    files: { '.kube/config': 'clusters: {}\n' },
    code: 2,
  },
  {
    name: 'a kubeconfig that cannot be made',
    words: 'up try',
    files: { '.kube': '' },
    code: 2,
  },
  {
    name: 'a store that cannot be written',
    words: 'create cluster try --state file://DIR/c.yaml/store',
    files: { 'c.yaml': '' },
    code: 2,
  },
  {
    name: 'a store that can be read and not be written',
    words: 'up try --state file://DIR/store',
    files: { 'store/.holdfast': '' },
    code: 2,
  },
  {
    name: 'a file in the place of the store',
    words: 'get clusters --state file://DIR/c.yaml',
    files: { 'c.yaml': '' },
    code: 2,
  },
  { name: 'a home that is a file', words: 'get clusters', env: { HOLDFAST_HOME: '/etc/passwd' }, code: 2 },
  {
    name: 'a cache that cannot be made',
    words: 'create cluster try',
    env: { HOLDFAST_CACHE: '/etc/passwd/cache' },
    code: 2,
  },
  { name: 'a bundle that is not there', words: 'assets fetch --bundle /nowhere.tar', code: 2 },
  { name: 'an editor that is not there', words: 'edit cluster try', before: 'try', editor: 127, code: 1 },
  { name: 'a store of an unknown kind', words: 'get clusters --state http://example.com/x', code: 2 },
  { name: 'a store in S3', words: 'get clusters --state s3://bucket', code: 2 },
  { name: 'a store that is no URL', words: 'get clusters', env: { HOLDFAST_STATE_STORE: 'store' }, code: 2 },
  { name: 'a cluster that is not there', words: 'update cluster tyr', before: 'try', code: 2 },
  { name: 'no cluster at all', words: 'validate cluster', code: 2 },
  { name: 'one of several clusters', words: 'get machines', before: 'try, two', code: 2 },
  { name: 'a deletion without a name', words: 'delete cluster --yes', before: 'try', code: 2 },
  { name: 'a deletion of what is not there', words: 'delete cluster tyr --yes', before: 'try', code: 2 },
  { name: 'a name that is taken', words: 'create cluster try', before: 'try', code: 4 },
  {
    name: 'another number of masters',
    words: 'up try --masters 5 --zones a,b,c,d,e',
    before: 'try',
    code: 2,
  },
  { name: 'a number of workers that is none', words: 'up try --workers x', before: 'try', code: 2 },
  {
    name: 'a cluster that is not this machine’s',
    words: 'up hacluster.example.com --masters 3',
    before: 'hacluster.example.com --cloud aws --zones us-west-2a,us-west-2b,us-west-2c',
    code: 2,
  },
  {
    name: 'another cluster in the file',
    words: 'replace -f c.yaml --name try',
    before: 'try',
    files: { 'c.yaml': cluster('  zones: [a]\n', 'other') },
    code: 2,
  },
  {
    name: 'a file of a cluster that is not there',
    words: 'replace -f c.yaml',
    before: 'try',
    files: { 'c.yaml': cluster('  zones: [a]\n', 'tyr') },
    code: 2,
  },
  {
    name: 'another cluster in the file than the usual one',
    words: 'replace -f c.yaml',
    before: 'try',
    files: { 'c.yaml': cluster('  zones: [a]\n') },
    env: { HOLDFAST_CLUSTER: 'other' },
    code: 2,
  },
  {
    name: 'several clusters in a file',
    words: 'replace -f c.yaml',
    before: 'try',
    files: { 'c.yaml': `${cluster('  zones: [a]\n', 'other')}${master}` },
    code: 2,
  },
  { name: 'a group that is not there', words: 'edit ig node --name try', before: 'try', code: 2 },
  { name: 'a machine that is not there', words: 'logs master-a-1', before: 'try', code: 2 },
  { name: 'an unknown component', words: 'logs master-a-1 -c kublet', before: 'try', code: 2 },
  { name: 'a check of what is not made', words: 'validate cluster try', before: 'try', code: 3 },
  {
    name: 'a check of what cannot be made',
    words: 'validate cluster try',
    before: 'try --zones us-west-2a',
    code: 2,
  },
  {
    name: 'a kubeconfig of what cannot be made',
    words: 'export kubeconfig try',
    before: 'try --zones us-west-2a',
    code: 2,
  },
  {
    name: 'kubectl for what cannot be made',
    words: 'kubectl get nodes',
    before: 'try --zones us-west-2a',
    code: 2,
  },
  {
    name: 'a drill of what cannot be made',
    words: 'drill kill-master try',
    before: 'try --zones us-west-2a',
    code: 2,
  },
  {
    name: 'a kubeconfig that is none',
    words: 'export kubeconfig try --kubeconfig DIR/c.yaml',
    before: 'try',
    files: { 'c.yaml': '- a list' },
    code: 2,
  },
  { name: 'a kubeconfig of what is not made', words: 'export kubeconfig try', before: 'try', code: 3 },
  {
    name: 'leader and follower at once',
    words: 'drill kill-master try --leader --follower',
    before: 'try',
    code: 2,
  },
  { name: 'an unknown shell', words: 'completion powershell', code: 2 },
]
