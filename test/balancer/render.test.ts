import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseStates } from '../../src/balancer/haproxy-admin.ts'
import { libraries } from '../../src/balancer/haproxy-root.ts'
import { renderNginx } from '../../src/balancer/nginx.ts'
import {
  assignSlots,
  type BalancerConfig,
  balancerTimes,
  renderHaproxy,
  slots,
} from '../../src/balancer/render.ts'

const config: BalancerConfig = {
  endpoint: { address: '10.213.0.1', port: 6443 },
  apiserverPort: 6443,
  slots: { a: { name: 'one', address: '10.213.0.2' } },
  adminSocket: '/run/admin.sock',
  uid: 65534,
  gid: 65534,
}

describe('haproxy.cfg', () => {
  test('has every slot, the empty ones disabled, and the checks as designed', () => {
    const text = renderHaproxy(config)

    expect(text).toContain('server a 10.213.0.2:6443\n')
    for (const slot of slots.slice(1)) expect(text).toContain(`server ${slot} 127.0.0.1:6443 disabled\n`)
    expect(text).toContain('uri /readyz?exclude=etcd-override-0&exclude=etcd-override-readiness-0 ')
    expect(text).toMatch(/check-ssl verify none inter 400ms fastinter 50ms .*observe layer4/)
    expect(text).toMatch(/^backend apiservers\n(.*\n)*? {2}timeout check 500ms\n/m)
    expect(text).toMatch(/^backend apiservers-patient\n(.*\n)*? {2}timeout check 5000ms\n/m)
    expect(text).toMatch(/timeout connect 300ms/)
  })

  test('a dead master is out by its checks alone in little more than a second', () => {
    const { checkIntervalMs, connectTimeoutMs, fastCheckIntervalMs, fall } = balancerTimes
    // A check's connection may take the connect time-out, in the fast round as well.
    const worst = checkIntervalMs + fall * connectTimeoutMs + (fall - 1) * fastCheckIntervalMs

    expect(worst).toBeLessThanOrEqual(1_050)
  })
})

describe('slots', () => {
  const name = fc.constantFrom(...'klmnopqrstuvw')
  const targets = fc
    .uniqueArray(name, { maxLength: slots.length })
    .map((names) => names.map((each) => ({ name: each, address: `10.0.0.${each.charCodeAt(0)}` })))

  test('whatever the order of changes: everyone has exactly one, and who stays keeps it', () => {
    fc.assert(
      fc.property(fc.array(targets, { minLength: 1, maxLength: 6 }), (changes) => {
        let table = {}
        for (const wanted of changes) {
          const before = new Map(slots.map((slot) => [assignName(table, slot), slot]))
          table = assignSlots(table, wanted)
          const seated = slots.map((slot) => assignName(table, slot)).filter((each) => each !== undefined)
          expect(seated.sort()).toEqual(wanted.map((target) => target.name).sort())
          for (const slot of slots) {
            const who = assignName(table, slot)
            if (who !== undefined && before.has(who)) expect(before.get(who)).toBe(slot)
          }
        }
      }),
    )
  })

  const assignName = (table: ReturnType<typeof assignSlots>, slot: (typeof slots)[number]) =>
    table[slot]?.name

  test('a newcomer gets a slot that nobody just left, where there is one', () => {
    const table = assignSlots({ a: { name: 'old', address: '10.0.0.1' } }, [
      { name: 'new', address: '10.0.0.2' },
    ])

    expect(table).toEqual({ b: { name: 'new', address: '10.0.0.2' } })
  })

  test('more masters than slots are refused', () => {
    const many = Array.from({ length: 8 }, (_, index) => ({ name: `${index}`, address: '10.0.0.1' }))

    expect(() => assignSlots({}, many)).toThrow(RangeError)
  })
})

describe('what HAProxy and ldd say', () => {
  test('states of the first backend, with what is on its way, and connections of both', () => {
    const header = '# pxname,svname,scur,status,lastchg,check_status,check_code,addr,'
    const row = (name: string, status: string, backend = 'apiservers') =>
      `${backend},${name},3,${status},7,L7OK,200,10.0.0.2:6443,`
    const csv = [
      header,
      row('a', 'UP'),
      row('b', 'UP 1/2'),
      row('c', 'DOWN'),
      row('d', 'DOWN 1/2'),
      row('e', 'DRAIN'),
      row('f', 'MAINT'),
      row('a', 'DOWN', 'apiservers-patient'),
    ].join('\n')

    const states = parseStates(csv)

    expect(states.map(({ slot, state }) => `${slot} ${state}`)).toEqual([
      'a up',
      'b up',
      'c down',
      'd starting',
      'e drain',
      'f maint',
    ])
    expect(states[0]).toEqual({
      slot: 'a',
      address: '10.0.0.2',
      state: 'up',
      sinceSeconds: 7,
      sessions: 6,
      check: 'L7OK/200',
    })
  })

  test('libraries with the loader, without the kernel’s own', () => {
    const ldd =
      '\tlinux-vdso.so.1 (0x00007ffc)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\tlibx.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n'

    expect(libraries(ldd)).toEqual(['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2'])
  })
})

test('nginx has the figures of the manual procedure', () => {
  const text = renderNginx({
    listen: {},
    targets: [
      { name: 'a', address: '10.0.0.2' },
      { name: 'b', address: '10.0.0.3' },
    ],
    apiserverPort: 6443,
  })

  expect(text).toMatchInlineSnapshot(`
    "worker_processes auto;
    error_log stderr warn;
    pid /run/nginx.pid;

    events {
      worker_connections 4096;
    }

    stream {
      upstream apiservers {
        least_conn;
        server 10.0.0.2:6443 max_fails=3 fail_timeout=30s; # a
        server 10.0.0.3:6443 max_fails=3 fail_timeout=30s; # b
      }
      server {
        listen 8443 so_keepalive=on;
        proxy_pass apiservers;
        proxy_connect_timeout 1s;
        proxy_timeout 3s;
      }
    }
    "
  `)
})
