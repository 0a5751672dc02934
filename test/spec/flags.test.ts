import { describe, expect, test } from 'vitest'
import { type ClusterFlags, declarationFromFlags } from '../../src/spec/flags.ts'
import type { Declaration } from '../../src/spec/types.ts'
import { answerOf, problemLines, transcripts } from './transcripts.ts'

const folder = new URL('./testdata/flags', import.meta.url).pathname

/** A command line as a shell would split it, as the command line's library hands it over. */
function flagsOf(line: string): ClusterFlags {
  const words = [...line.replaceAll('\\\n', ' ').matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) =>
    word.replaceAll('"', ''),
  )
  const flags: Record<string, string> = {}
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ''
    if (!word.startsWith('--')) flags.name = word
    else {
      const [flag = '', value] = word.slice(2).split(/=(.*)/s)
      const camel = flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
      flags[camel] = value ?? words[++index] ?? ''
    }
  }
  return flags
}

const summary = ({ cluster, groups }: Declaration): string => {
  const { spec, metadata } = cluster
  const { networking } = spec
  const labels = Object.entries(spec.cloudLabels).map(([key, value]) => ` ${key}="${value}"`)
  const head = `cluster ${metadata.name}: ${spec.cloud}, ${spec.kubernetesVersion}, zones ${spec.zones.join(' ')}, ${spec.topology}, ${networking.kind}, pods ${networking.podCidr}, services ${networking.serviceCidr}, egress ${spec.egress}${spec.dnsZone ? `, DNS zone ${spec.dnsZone}` : ''}${labels.join('')}\n`
  return (
    head +
    groups
      .map(({ metadata, spec }) => {
        const rest = [spec.machineType, spec.securityGroups.join(' '), spec.image].filter(Boolean).join(', ')
        const seat = spec.seat ? ` seat ${spec.seat}` : ''
        return `${spec.role} ${metadata.name}: ${spec.size} in ${spec.zones.join(' ')}${seat}${rest ? `; ${rest}` : ''}\n`
      })
      .join('')
  )
}

describe('the flags of create cluster and up', () => {
  test.each(transcripts(folder))('$name', (transcript) => {
    const hostRoutes = transcript.circumstances.map((line) => {
      const [, cidr = '', device = ''] = /^host route (\S+) (\S+)$/.exec(line) ?? []
      return { cidr, device }
    })

    const result = declarationFromFlags(flagsOf(transcript.input), { hostRoutes })

    const problems = problemLines([...result.errors, ...result.blockers, ...result.warnings])
    const answer = (result.declaration ? summary(result.declaration) : 'refused\n') + problems
    expect(answer).toBe(answerOf(folder, transcript, answer))
    expect(result.declaration === undefined).toBe(result.errors.length > 0)
  })
})
