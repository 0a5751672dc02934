/** Base addresses of the official release sites. */
export interface OfficialSites {
  /** Kubernetes: `BASE/release/vX/bin/linux/ARCH/NAME` and `.sha256`. */
  readonly kubernetes: string
  /** GitHub: `BASE/OWNER/NAME/releases/download/vX/FILE`. */
  readonly github: string
}

export const officialSites: OfficialSites = { kubernetes: 'https://dl.k8s.io', github: 'https://github.com' }
