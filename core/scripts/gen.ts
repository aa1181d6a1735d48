import { writeFileSync } from 'node:fs';
import { referenceYaml } from '../src/config/reference.ts';

writeFileSync(new URL('../../deploy/config/pipeline.reference.yaml', import.meta.url), referenceYaml());
