import type { Problem } from '../errors.ts'
import { awsZoneFault, regionOf } from './aws-zones.ts'
import { andList } from './nearest.ts'
import type { Declaration, InstanceGroupSpec } from './types.ts'

/** Images older than this have no control groups of version 2, which today's kubelet wants. */
const oldestImageYear = 2022

/** What one cloud asks for, and what another would pass over. */
export const cloudProblems = (declaration: Declaration): Problem[] =>
  declaration.cluster.spec.cloud === 'aws' ? awsProblems(declaration) : passedOver(declaration)

function awsProblems({ cluster, groups }: Declaration): Problem[] {
  const { zones, cloudLabels } = cluster.spec
  const problems: Problem[] = zones.flatMap((zone, index) => {
    const fault = awsZoneFault(zone)
    return fault ? [{ severity: 'error', path: `cluster.spec.zones[${index}]`, ...fault }] : []
  })
  const regions = [...new Set(zones.flatMap((zone) => (awsZoneFault(zone) ? [] : (regionOf(zone) ?? []))))]
  if (regions.length > 1)
    problems.push({
      severity: 'error',
      path: 'cluster.spec.zones',
      message: `the zones are in ${andList(regions)}; a cluster lives in one region`,
      remedy: 'Use zones of one region.',
    })
  for (const [key, value] of Object.entries(cloudLabels)) {
    const fault = tagFault(key, value)
    if (fault)
      problems.push({
        severity: 'error',
        path: `cluster.spec.cloudLabels["${key}"]`,
        message: `the tag "${key}" ${fault}`,
        remedy: 'Change it.',
      })
  }
  return [...problems, ...imageProblems(groups), ...securityGroupProblems(groups)]
}

/** https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html */
function tagFault(key: string, value: string): string | undefined {
  if (key === '' || key.length > 128) return 'must have 1 to 128 characters'
  if (value.length > 256) return 'has a value of more than 256 characters'
  return key.toLowerCase().startsWith('aws:') ? 'begins with aws:, which AWS keeps for itself' : undefined
}

/** One problem for each image or id, however many groups have it: the first path, every group named. */
function imageProblems(groups: readonly InstanceGroupSpec[]): Problem[] {
  const images = groups.flatMap((group, index) =>
    group.spec.image === undefined ? [] : [{ image: group.spec.image, path: `groups[${index}].spec.image` }],
  )
  return distinct(images.map((one) => ({ ...one, word: one.image }))).flatMap(({ image, path }) => {
    const fault = imageFault(image)
    const users = groups.filter((group) => group.spec.image === image).map((group) => group.metadata.name)
    if (!fault) return []
    const message = `image ${image} of ${andList(users)} ${fault}`
    return [
      {
        severity: 'error',
        blocks: 'update',
        path,
        message,
        remedy: 'Name an image of today (ami-…), or none for the default.',
      },
    ]
  })
}

function imageFault(image: string): string | undefined {
  const ofKops = /(?:^|\/)k8s-(\d+\.\d+)-debian-(wheezy|jessie|stretch|buster)-/.exec(image)
  const year = /(?:^|\D)(20\d\d)[-.]?\d\d[-.]?\d\d(?:\D|$)/.exec(image)?.[1]
  const dated = year ? ` of ${year}` : ''
  if (ofKops) return `is years too old: Debian ${ofKops[2]}${dated}, made for Kubernetes ${ofKops[1]}`
  if (year && Number(year) < oldestImageYear) return `is too old: it is${dated}`
  if (/^ami-/.test(image))
    return /^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(image)
      ? undefined
      : 'is no image id: ami- and 8 or 17 hexadecimal digits'
  return /^[^/\s]+\/\S+$/.test(image) || image.startsWith('ssm:')
    ? undefined
    : 'is neither ami-…, OWNER/NAME nor ssm:…'
}

function securityGroupProblems(groups: readonly InstanceGroupSpec[]): Problem[] {
  const ids = groups.flatMap((group, index) =>
    group.spec.securityGroups.map((id, at) => ({
      word: id,
      path: `groups[${index}].spec.securityGroups[${at}]`,
    })),
  )
  return distinct(ids).flatMap(({ word, path }) => {
    if (/^sg-([0-9a-f]{8}|[0-9a-f]{17})$/.test(word)) return []
    const users = groups
      .filter((group) => group.spec.securityGroups.includes(word))
      .map((group) => group.metadata.name)
    const what = /^i-[0-9a-f]+$/.test(word)
      ? 'is the id of an instance, not of a security group'
      : 'is no id of a security group'
    return [
      {
        severity: 'error',
        blocks: 'update',
        path,
        message: `${word} of ${andList(users)} ${what}`,
        remedy: 'Name security groups as sg- and 8 or 17 hexadecimal digits.',
      },
    ]
  })
}

const distinct = <T extends { word: string }>(items: readonly T[]): T[] =>
  items.filter((item, index) => items.findIndex((other) => other.word === item.word) === index)

/** Fields that mean nothing outside AWS: said, so that nobody relies on them. */
function passedOver({ cluster, groups }: Declaration): Problem[] {
  const { cloud } = cluster.spec
  const first = (has: (group: InstanceGroupSpec) => boolean): number => groups.findIndex(has)
  const fields: [string, number][] = [
    ['image', first((group) => group.spec.image !== undefined)],
    ['machineType', first((group) => group.spec.machineType !== undefined)],
    ['securityGroups', first((group) => group.spec.securityGroups.length > 0)],
  ]
  const paths = fields
    .filter(([, index]) => index >= 0)
    .map(([field, index]) => `groups[${index}].spec.${field}`)
  if (cluster.spec.dnsZone !== undefined) paths.push('cluster.spec.dnsZone')
  return paths.map((path) => ({
    severity: 'warning',
    path,
    message: `the cloud ${cloud} passes over ${path.replace(/^.*\./, '')}`,
    remedy: 'Take it out, or declare the cloud aws.',
  }))
}
