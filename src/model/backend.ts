/** What can record, apart from the manifest's schema so that a command line can be read without it. */
export const backends = ['tracefs', 'bpftrace', 'trace-cmd'] as const;

export type Backend = (typeof backends)[number];

/** The collector that reads what each leaves. */
export const formatOf: Readonly<Record<Backend, string>> = {
  tracefs: 'tracefs',
  bpftrace: 'bpftrace',
  'trace-cmd': 'trace-dat',
};
