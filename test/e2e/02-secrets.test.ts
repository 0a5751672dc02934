import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { inside, machinesOf, tryInside } from './support/machines.ts'
import { clusterName, homeFolder } from './support/place.ts'
import { sharedCluster } from './support/state.ts'
import { defined, eventually } from './support/wait.ts'

const storeFolder = join(homeFolder, 'store', clusterName)

beforeAll(async () => {
  await sharedCluster()
})

/** A line out of the middle of each authority's private key: where it is, the key is. */
function authorityKeys(): Map<string, string> {
  const folder = join(storeFolder, 'pki', 'private')
  return new Map(
    readdirSync(folder).map((name) => {
      const text = readFileSync(join(folder, name), 'utf8').replaceAll('\\n', '\n')
      const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----\n([A-Za-z0-9+/=]+)\n/.exec(text)?.[1]
      return [name, defined(key, `private key in ${name}`)]
    }),
  )
}

/** What workers join with. */
function joinToken(): string {
  const stored = readFileSync(`${storeFolder}/join/worker.json`, 'utf8')
  const { token } = JSON.parse(/\{.*\}/s.exec(stored)?.[0] ?? '') as { token: string }
  expect(token).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/)
  return token
}

const searched = '/etc /var /root /opt/holdfast/cloud /run/systemd /home /srv /usr/local'

describe('private keys and tokens', () => {
  test('are readable by root only, on every machine', async () => {
    for (const machine of [...(await machinesOf('master')), ...(await machinesOf('node'))]) {
      const wanted = "-type f -size -200k -exec grep -l -E 'PRIVATE KEY-----|client-key-data:' {} +"
      const pruned = '-path /var/lib/containerd -prune -o -path /var/lib/holdfast/volumes -prune -o'
      const script = `find ${searched} ${pruned} ${wanted} 2>/dev/null | xargs stat -L -c '%a %U %n'`
      const found = (await inside(machine, script, 60_000)).trim().split('\n').filter(Boolean)

      // At least kubelet's own key; on masters the authorities' and etcd's.
      expect(found.length).toBeGreaterThanOrEqual(machine.role === 'master' ? 10 : 1)
      // What a pod has projected belongs to the pod; kubelet keeps those folders to itself.
      const open = found.filter(
        (line) => !/^[0-7]00 root /.test(line) && !line.includes('/var/lib/kubelet/pods/'),
      )
      expect(open).toEqual([])
    }
  })

  test('of the authorities are on masters and never on a worker', async () => {
    const keys = authorityKeys()
    const patterns = [...keys.values()].map((key) => `-e '${key}'`).join(' ')
    const script = `grep -rlF ${patterns} ${searched} 2>/dev/null`
    const [master] = await machinesOf('master')

    expect([...keys.keys()].sort()).toEqual(['ca.pem', 'etcd-ca.pem', 'front-proxy-ca.pem', 'sa.pem'])
    const there = await tryInside(defined(master, 'master'), script, 60_000)
    expect(there.stdout).toContain('/etc/kubernetes/pki/ca.key')
    for (const worker of await machinesOf('node')) {
      expect((await tryInside(worker, script, 60_000)).stdout).toBe('')
    }
  })

  test('are in nobody’s command line or environment', async () => {
    const secrets = [...authorityKeys().values(), joinToken()]

    const shown = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => ['cmdline', 'environ'].map((file) => `/proc/${pid}/${file}`))
      .filter((file) => {
        try {
          const text = readFileSync(file, 'utf8')
          return secrets.some((secret) => text.includes(secret))
        } catch {
          return false
        }
      })

    expect(shown).toEqual([])
  })

  test('are in no journal and no log', async () => {
    const secrets = [...authorityKeys().values(), joinToken(), 'PRIVATE KEY-----']
    const patterns = secrets.map((secret) => `-e '${secret}'`).join(' ')
    for (const machine of [...(await machinesOf('master')), ...(await machinesOf('node'))]) {
      const all = '(journalctl --no-pager -q; cat /var/log/pods/*/*/*.log)'
      const script = `${all} | wc -l; ${all} | grep -cF ${patterns}`
      const [lines, leaks] = (await tryInside(machine, script, 60_000)).stdout.trim().split('\n')
      expect(Number(lines)).toBeGreaterThan(100)
      expect(Number(leaks)).toBe(0)
    }
    const machines = join(homeFolder, 'local', 'clusters', clusterName, 'machines')
    const logs = [
      join(homeFolder, 'local', 'cloud.log'),
      ...readdirSync(machines).map((name) => join(machines, name, 'console.log')),
    ].filter((path) => existsSync(path))
    // The local cloud's own, and a console for each machine.
    expect(logs.length).toBeGreaterThanOrEqual(5)
    for (const path of logs) {
      const text = readFileSync(path, 'utf8')
      expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
    }
  })

  test('on this host lie in folders that only their owner enters', () => {
    expect(statSync(homeFolder).mode & 0o077).toBe(0)
    const open = execFileSync('find', [join(homeFolder, 'store'), '-type', 'f', '-perm', '/077'])
    expect(String(open)).toBe('')
    expect(statSync(join(storeFolder, 'pki', 'private', 'ca.pem')).mode & 0o777).toBe(0o600)
  })
})

test('super-admin.conf is gone from every master, admin.conf is there', async () => {
  for (const machine of await machinesOf('master')) {
    await eventually('super-admin.conf goes', 30_000, async () => {
      const files = (await inside(machine, 'ls /etc/kubernetes')).split('\n')
      expect(files).toContain('admin.conf')
      expect(files).not.toContain('super-admin.conf')
    })
  }
})

describe('a machine asks through its socket', () => {
  /** Asks as the agent does, with Node's own http; prints the status and the answer. */
  const ask = (machine: { id: string }, key: string) => {
    const program = `
      require('http').get({ socketPath: '/opt/holdfast/cloud/cloud.sock', path: '/store?key=${encodeURIComponent(key)}' },
        (r) => { let t = ''; r.on('data', (d) => t += d); r.on('end', () => console.log(r.statusCode, t)) })`
    return inside(machine, `/opt/holdfast/node -e "${program}"`)
  }

  test('a worker reads what it joins with, and no private key, seat or other group', async () => {
    const worker = defined((await machinesOf('node'))[0], 'worker')

    expect(await ask(worker, `${clusterName}/join/worker.json`)).toMatch(/^200 .*token/)
    expect(await ask(worker, `${clusterName}/pki/public/ca.crt`)).toMatch(/^200 .*BEGIN CERTIFICATE/)
    for (const key of [
      'pki/private/ca.pem',
      'pki/private/sa.pem',
      'seats/a.json',
      'etcd/main/genesis.json',
      'groups/master-a.yaml',
    ]) {
      const answer = await ask(worker, `${clusterName}/${key}`)
      expect(answer).toContain('store-denied')
      expect(answer).not.toMatch(/^200|PRIVATE/)
    }
  })

  test('a master reads the authorities, and nothing of another cluster', async () => {
    const master = defined((await machinesOf('master'))[0], 'master')

    expect(await ask(master, `${clusterName}/pki/private/ca.pem`)).toMatch(/^200 .*PRIVATE KEY/)
    expect(await ask(master, 'other/pki/private/ca.pem')).toContain('store-denied')
  })
})
