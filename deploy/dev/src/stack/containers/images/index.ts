export { type BuildRequest, buildImage } from './build.ts';
export { type ChooseOptions, provideImage } from './choose.ts';
export type { ChosenImage, ImageContext, ImageRole } from './context.ts';
export { imageInventory, type OwnImage } from './inventory.ts';
export { provideStandIn } from './provide-stand-in.ts';
export { IMAGE_LABEL } from './stand-in.ts';
export { STAND_INS } from './stand-ins.ts';
