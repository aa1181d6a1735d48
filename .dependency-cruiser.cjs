// Who may import whom. Data flows one way; each outside system has one seam.
const only = (name, path, allowed) => ({
  name,
  severity: 'error',
  from: { path, pathNot: '\\.test\\.ts$' },
  to: { path: '^(schemas|core|ingress|processors|sinks|deploy|test)/', pathNot: allowed },
});
const seam = (name, module, allowed) => ({
  name,
  severity: 'error',
  from: { path: '^(schemas|core|ingress|processors|sinks|deploy|test)/', pathNot: allowed },
  to: { path: `node_modules/${module}/` },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    only('schemas-imports-nothing', '^schemas/', '^schemas/'),
    only('core-imports-schemas', '^core/', '^(core|schemas)/'),
    only('esps-import-schemas', '^ingress/esps/', '^(ingress/esps|schemas)/'),
    only('ingress-imports', '^ingress/src/', '^(ingress|core|schemas)/'),
    only('processors-import', '^processors/', '^(processors|ingress/esps|core|schemas)/'),
    only('sink-clickhouse-imports', '^sinks/clickhouse/', '^(sinks/clickhouse|core|schemas)/'),
    only('sink-crm-imports', '^sinks/crm/', '^(sinks/crm|core|schemas)/'),
    only('deploy-imports-no-tests', '^deploy/', '^(deploy|sinks|processors|ingress|core|schemas)/'),
    seam('kafkajs-in-core', 'kafkajs', '^core/'),
    seam('express-in-ingress', 'express', '^(ingress/src/|deploy/src/receiver/)'),
    seam('clickhouse-client-in-its-sink', '@clickhouse/client', '^sinks/clickhouse/'),
    seam('lmdb-in-processors', 'lmdb', '^processors/'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
