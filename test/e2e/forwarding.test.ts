import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

interface Look {
  machine: string | false
  outside: string | false
  rules: string[]
}

const script = join(import.meta.dirname, 'support/forwarding.ts')

async function forwarding(
  egress: 'none' | 'nat',
): Promise<Record<'before' | 'first' | 'again' | 'after', Look> & { tables: string }> {
  const { stdout } = await promisify(execFile)(
    'unshare',
    [
      '--net',
      '--mount',
      'sh',
      '-c',
      'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && exec "$@"',
      'sh',
      process.execPath,
      script,
      egress,
    ],
    { timeout: 60_000, killSignal: 'SIGKILL' },
  )
  return JSON.parse(stdout)
}

// Kernels without br_netfilter pass no bridged frame through iptables.
const filtersBridges = existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')

describe.runIf(filtersBridges)('a host whose iptables drop what nobody accepts, as Docker sets them', () => {
  test('without egress machines reach each other and nothing else; what was added is taken away', async () => {
    const { before, first, again, after, tables } = await forwarding('none')

    expect(before.machine).toBe(false)
    expect(first.machine).toBe('10.9.0.2')
    expect(first.outside).toBe(false)
    expect(first.rules).toHaveLength(before.rules.length + 1)
    expect(again).toEqual(first)
    expect(after).toEqual(before)
    expect(tables).not.toContain('hf-')
  })

  test('with egress nat they reach the outside too, under the address of the host', async () => {
    const { before, first, again, after, tables } = await forwarding('nat')

    expect(first.machine).toBe('10.9.0.2')
    expect(first.outside).toBe('198.51.100.1')
    expect(again).toEqual(first)
    expect(after).toEqual(before)
    expect(tables).not.toContain('hf-')
  })
})
