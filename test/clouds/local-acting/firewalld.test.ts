import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const rules = join(import.meta.dirname, '../../../src/clouds/local/network-rules.ts')
const bridge = 'hf-f0f0f0-0'
const isPossible = process.getuid?.() === 0 && ['/usr/bin/unshare', '/usr/sbin/nft'].every(existsSync)

/**
 * Stands in for firewalld, which needs D-Bus and a host of its own: notes each call, and keeps the interfaces of
 * the zone `trusted` in a file, as `--change-interface` and `--remove-interface` of firewall-cmd(1) would.
 */
const standIn = (dir: string) => `#!/bin/sh
echo "$*" >>${dir}/calls
[ -e ${dir}/stopped ] && { echo 'not running' >&2; exit 252; }
[ -e ${dir}/refuses ] && [ "$1" != --state ] && { echo 'Error: ACCESS_DENIED' >&2; exit 1; }
touch ${dir}/trusted
case "$2" in
  --change-interface=*) grep -qx "\${2#*=}" ${dir}/trusted || echo "\${2#*=}" >>${dir}/trusted ;;
  --remove-interface=*)
    grep -qx "\${2#*=}" ${dir}/trusted || { echo 'Error: UNKNOWN_INTERFACE' >&2; exit 1; }
    sed -i "/^\${2#*=}$/d" ${dir}/trusted ;;
esac
`

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), `holdfast-test-${process.pid}-`))
  await writeFile(join(dir, 'firewall-cmd'), standIn(dir), { mode: 0o755 })
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** The real rules in a network namespace of its own, where nobody's are; gives what went wrong and nft's tables. */
function act(statement: string): Promise<{ error: string; tables: string }> {
  const program = `import { addForwarding, removeForwarding } from ${JSON.stringify(rules)}
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
let error = ''
try { ${statement} } catch (thrown) { error = thrown.message }
process.stdout.write(JSON.stringify({ error, tables: execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }) }))`
  const words = ['--net', process.execPath, '--input-type=module', '--eval', program]
  const env = { ...process.env, PATH: `${dir}:${process.env.PATH}` }
  return new Promise((resolve, reject) => {
    execFile('unshare', words, { env, timeout: 30_000 }, (error, stdout) =>
      error ? reject(error) : resolve(JSON.parse(stdout)),
    )
  })
}

const add = `await addForwarding('${bridge}', 'none')`
const remove = `await removeForwarding('${bridge}')`
const linesOf = async (name: string): Promise<string[]> =>
  (await readFile(join(dir, name), 'utf8').catch(() => '')).split('\n').filter(Boolean)

describe.runIf(isPossible)('a host whose firewalld would drop what comes over a bridge of no zone', () => {
  test('the bridge is put into the zone trusted, once however often, and taken out with its rules', async () => {
    await writeFile(join(dir, 'trusted'), 'virbr0\n')

    const added = await act(`${add}; ${add}`)
    const between = await linesOf('trusted')
    const removed = await act(`${add}; ${remove}; ${remove}`)

    expect(added).toEqual({ error: '', tables: `table inet ${bridge}\n` })
    expect(between).toEqual(['virbr0', bridge])
    expect(removed).toEqual({ error: '', tables: '' })
    expect(await linesOf('trusted')).toEqual(['virbr0'])
    const calls = new Set(await linesOf('calls'))
    expect(calls).toEqual(
      new Set([
        '--state',
        `--zone=trusted --change-interface=${bridge}`,
        `--zone=trusted --remove-interface=${bridge}`,
      ]),
    )
  })

  test('where it refuses, the reason is told: machines would not reach each other', async () => {
    await writeFile(join(dir, 'refuses'), '')

    const { error } = await act(add)

    expect(error).toContain(`firewalld would drop traffic on ${bridge}`)
    expect(error).toContain('ACCESS_DENIED')
  })

  test('where it does not run, nothing is asked of it', async () => {
    await writeFile(join(dir, 'stopped'), '')

    const { error } = await act(add)

    expect(error).toBe('')
    expect(await linesOf('calls')).toEqual(['--state'])
  })

  test('a bridge goes also where it refuses to forget it', async () => {
    const refuse = `writeFileSync(${JSON.stringify(join(dir, 'refuses'))}, '')`

    const removed = await act(`${add}; ${refuse}; ${remove}`)

    expect(await linesOf('trusted')).toEqual([bridge])
    expect(removed).toEqual({ error: '', tables: '' })
  })
})
