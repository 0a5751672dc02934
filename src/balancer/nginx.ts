import type { BalancerTarget } from './render.ts'

/**
 * nginx's `stream` in front of the apiservers, with the figures of the manual procedure. It has no
 * active checks: a dead master costs one in so many connections a second each until it is given up.
 */
export function renderNginx(options: {
  listen: { address?: string; port?: number }
  targets: readonly BalancerTarget[]
  apiserverPort: number
}): string {
  const { address, port = 8443 } = options.listen
  const servers = options.targets.map(
    ({ name, address: target }) =>
      `    server ${target}:${options.apiserverPort} max_fails=3 fail_timeout=30s; # ${name}`,
  )
  return `worker_processes auto;
error_log stderr warn;
pid /run/nginx.pid;

events {
  worker_connections 4096;
}

stream {
  upstream apiservers {
    least_conn;
${servers.join('\n')}
  }
  server {
    listen ${address ? `${address}:` : ''}${port} so_keepalive=on;
    proxy_pass apiservers;
    proxy_connect_timeout 1s;
    proxy_timeout 3s;
  }
}
`
}
