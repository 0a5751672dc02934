import type { Problem } from '../errors.ts'
import { looksLikeAws } from './aws-zones.ts'
import { clusterWithDefaults, defaultZones } from './defaults.ts'
import { type FlagReader, flagReader, type ListFlag, type NumberFlag } from './flag-values.ts'
import { masterGroups, nodeGroup } from './master-groups.ts'
import { networkingChoice } from './networking.ts'
import { API_VERSION, type Declaration } from './types.ts'
import {
  type Circumstances,
  routesOf,
  type SortedProblems,
  sortProblems,
  validateDeclaration,
} from './validate.ts'

/** Flags of `create cluster` and `up`, in camel case as the command line's library hands them over. */
export interface ClusterFlags {
  name?: string
  cloud?: string
  zones?: ListFlag
  masterZones?: ListFlag
  controlPlaneZones?: ListFlag
  masterCount?: NumberFlag
  controlPlaneCount?: NumberFlag
  masters?: NumberFlag
  controlPlanes?: NumberFlag
  nodeCount?: NumberFlag
  workers?: NumberFlag
  masterSize?: string
  controlPlaneSize?: string
  nodeSize?: string
  masterSecurityGroups?: ListFlag
  controlPlaneSecurityGroups?: ListFlag
  nodeSecurityGroups?: ListFlag
  topology?: string
  networking?: string
  podCidr?: string
  serviceCidr?: string
  networkCidr?: string
  dnsZone?: string
  cloudLabels?: string
  image?: string
  kubernetesVersion?: string
  egress?: string
}

/** With an error there is no declaration, and nothing may be stored. */
export interface FlagsResult extends SortedProblems {
  declaration?: Declaration
}

const masterDefaults = { local: 3, hosts: 3, aws: undefined } as const
const workerDefault = 1
/** Seats are letters. */
const mostSeats = 26

/**
 * What the flags of kops declare. Pure. Defaults are kops' own on AWS (one master in the first zone
 * unless told otherwise, as many nodes as zones); on the local cloud three masters and one worker.
 * The default ranges step aside for the host's routes.
 */
export function declarationFromFlags(flags: ClusterFlags, circumstances: Circumstances = {}): FlagsResult {
  const reader = flagReader()
  const name = flags.name?.trim() ?? ''
  if (name === '')
    reader.error('NAME', "the cluster's name is missing", 'Add a name, such as hacluster.example.com.')

  for (const [flag, value] of Object.entries(flags))
    if (value === '' && flag !== 'name') {
      const word = `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
      reader.error(word, `${word} is empty`, 'Give it a value, or leave it out.')
    }
  const zonesGiven = reader.list('--zones', flags.zones)
  const masterZonesFlag = reader.either([
    ['--master-zones', flags.masterZones],
    ['--control-plane-zones', flags.controlPlaneZones],
  ])
  const masterZonesGiven = reader.list(masterZonesFlag.flag, masterZonesFlag.value)
  const everyZone = [...new Set([...(zonesGiven ?? []), ...(masterZonesGiven ?? [])])]
  const cloud =
    reader.choice('--cloud', flags.cloud, ['local', 'aws', 'hosts']) ??
    (everyZone.some(looksLikeAws) ? 'aws' : 'local')
  if (everyZone.length === 0 && cloud !== 'local' && reader.errors.length === 0)
    reader.error(
      '--zones',
      `the cloud ${cloud} needs zones, and none is named`,
      'Add --zones, such as --zones us-west-2a,us-west-2b,us-west-2c.',
    )
  const clusterZones = everyZone.length > 0 ? everyZone : [...defaultZones]
  const nodeZones = zonesGiven ?? clusterZones

  const masters = countMasters(reader, flags, cloud, nodeZones, masterZonesGiven)
  const workersFlag = reader.either([
    ['--node-count', flags.nodeCount],
    ['--workers', flags.workers],
  ])
  const workers =
    reader.count(workersFlag.flag, workersFlag.value) ??
    (cloud === 'local' ? workerDefault : nodeZones.length)

  const networking = networkingOf(flags)
  const masterSize = reader.either([
    ['--master-size', flags.masterSize],
    ['--control-plane-size', flags.controlPlaneSize],
  ]).value
  const masterSecurityGroups = reader.either([
    ['--master-security-groups', flags.masterSecurityGroups],
    ['--control-plane-security-groups', flags.controlPlaneSecurityGroups],
  ])
  const cluster = clusterWithDefaults(
    {
      apiVersion: API_VERSION,
      kind: 'Cluster',
      metadata: { name },
      spec: {
        cloud,
        kubernetesVersion: flags.kubernetesVersion,
        zones: clusterZones,
        topology: reader.choice('--topology', flags.topology, ['public', 'private']),
        networking: {
          kind: networking.kind,
          podCidr: flags.podCidr,
          serviceCidr: flags.serviceCidr,
          machineCidr: flags.networkCidr,
        },
        egress: reader.choice('--egress', flags.egress, ['none', 'nat']),
        dnsZone: flags.dnsZone,
        cloudLabels: reader.labels('--cloud-labels', flags.cloudLabels),
      },
    },
    { taken: routesOf(circumstances) },
  )
  const groups = [
    ...masterGroups(name, masters.zones, masters.count, {
      ...optional('machineType', masterSize),
      ...optional('image', flags.image),
      ...optional('securityGroups', reader.list(masterSecurityGroups.flag, masterSecurityGroups.value)),
    }),
    nodeGroup(name, nodeZones, workers, {
      ...optional('machineType', flags.nodeSize),
      ...optional('image', flags.image),
      ...optional('securityGroups', reader.list('--node-security-groups', flags.nodeSecurityGroups)),
    }),
  ]
  const declaration: Declaration = { cluster, groups }
  const wrongFlags = [...reader.errors, ...networking.problems]
  const told = new Set(wrongFlags.map((problem) => problem.path))
  const named = validateDeclaration(declaration, circumstances).map((problem) =>
    withFlag(problem, masters.flag),
  )
  // Groups are named after their zones here: what is wrong with a zone's name is said of the zone.
  const wrongZones = named.some(({ severity, path }) => severity === 'error' && path === '--zones')
  const found = named.filter(
    ({ path }) => !told.has(path) && !(wrongZones && /^groups\[\d+\]\.metadata\.name/.test(path)),
  )
  const sorted = sortProblems([...wrongFlags, ...found])
  return { ...(sorted.errors.length > 0 ? {} : { declaration }), ...sorted }
}

const optional = <K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } =>
  value === undefined || value === '' ? {} : ({ [key]: value } as { [key in K]?: V })

function networkingOf(flags: ClusterFlags): { kind: 'vxlan' | 'routed' | 'cni'; problems: Problem[] } {
  const choice = networkingChoice(flags.networking || 'vxlan')
  if ('error' in choice)
    return { kind: 'vxlan', problems: [{ severity: 'error', path: '--networking', ...choice.error }] }
  const { kind, warning } = choice
  return { kind, problems: warning ? [{ severity: 'warning', path: '--networking', ...warning }] : [] }
}

/** How many masters, and over which zones: as kops decides it. */
function countMasters(
  reader: FlagReader,
  flags: ClusterFlags,
  cloud: 'local' | 'aws' | 'hosts',
  nodeZones: readonly string[],
  named: readonly string[] | undefined,
): { zones: readonly string[]; count: number; flag: string } {
  const { flag, value } = reader.either<NumberFlag>([
    ['--master-count', flags.masterCount],
    ['--control-plane-count', flags.controlPlaneCount],
    ['--masters', flags.masters],
    ['--control-planes', flags.controlPlanes],
  ])
  const asked = reader.count(flag, value)
  if (value !== undefined && asked === undefined) return { zones: nodeZones, count: 1, flag }
  if (asked !== undefined && asked > mostSeats) {
    reader.error(flag, `${flag} asks for ${asked} masters; etcd works with seven at most`, 'Ask for 3 or 5.')
    return { zones: nodeZones, count: 1, flag }
  }
  if (named) {
    if (asked !== undefined && asked < named.length) {
      const message = `--master-zones names ${named.length} zones, and ${flag} asks for ${asked} masters`
      reader.error(flag, message, 'Give as many zones as masters, or fewer.')
    }
    return { zones: named, count: asked ?? named.length, flag: asked === undefined ? '--master-zones' : flag }
  }
  const count = asked ?? masterDefaults[cloud] ?? 1
  return { zones: nodeZones, count, flag }
}

/** The flag behind a path of the declaration; blockers keep the path, since the stored spec has no flags. */
function withFlag(problem: Problem, masterFlag: string): Problem {
  if (problem.blocks === 'update') return problem
  const flag = flagOf.find(([pattern]) => pattern.test(problem.path))?.[1]
  return { ...problem, path: flag ?? (problem.path === 'groups' ? masterFlag : problem.path) }
}

const flagOf: [RegExp, string][] = [
  [/^cluster\.metadata\.name/, 'NAME'],
  [/^cluster\.spec\.kubernetesVersion/, '--kubernetes-version'],
  [/^cluster\.spec\.zones/, '--zones'],
  [/^cluster\.spec\.networking\.podCidr/, '--pod-cidr'],
  [/^cluster\.spec\.networking\.serviceCidr/, '--service-cidr'],
  [/^cluster\.spec\.networking\.machineCidr/, '--network-cidr'],
  [/^cluster\.spec\.dnsZone/, '--dns-zone'],
  [/^cluster\.spec\.cloudLabels/, '--cloud-labels'],
  [/^groups\[\d+\]\.spec\.image/, '--image'],
  [/^groups\[\d+\]\.spec\.securityGroups/, '--node-security-groups'],
  [/^groups\[\d+\]\.spec\.machineType/, '--node-size'],
  [/^groups\[\d+\]\.spec\.size/, '--node-count'],
  [/^groups\[\d+\]\.spec\.zones/, '--master-zones'],
]
