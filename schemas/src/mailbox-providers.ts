/**
 * Who runs a recipient's mailbox, by the domain of the address: deliverability is decided by mailbox providers, not by domains. Only domains
 * whose addresses are given out by the provider itself are here. The domain of a company whose mail is hosted by Google or Microsoft says
 * nothing of that, so it is `other`.
 *
 * Statements of ClickHouse's migrations are filled with this table. Whoever changes it raises the version, and adds a migration that fills the columns of
 * the last one anew: they are computed when they are read, so all history follows. A test holds the three together.
 */
export const MAILBOX_PROVIDERS_VERSION = 1;

/** Provider of every domain that is not here. An address without a domain has none: the empty text. */
export const OTHER_PROVIDER = 'other';

/** Domains of one name under several ends: `each('live', 'com de')` is live.com and live.de. */
const each = (name: string, ends: string) => ends.split(' ').map((end) => `${name}.${end}`);
const list = (domains: string) => domains.split(' ');

/** Providers by name; the domains are in lower case and ASCII form, each at one provider. */
export const MAILBOX_PROVIDERS: { readonly [provider: string]: readonly string[] } = {
  gmail: list('gmail.com googlemail.com'),
  outlook: [
    ...each(
      'outlook',
      'com at be cl co.id co.il co.nz co.th com.ar com.au com.br com.gr com.pe com.tr com.vn',
    ),
    ...each('outlook', 'cz de dk es fr hu ie in it jp kr lv my ph pt sa sg sk'),
    ...each(
      'hotmail',
      'com be ca ch cl co.il co.jp co.kr co.nz co.th co.uk co.za com.ar com.au com.br com.hk',
    ),
    ...each('hotmail', 'com.tr com.tw com.vn cz de dk es fi fr gr hu it my nl no ph rs se sg sk'),
    ...each(
      'live',
      'com at be ca ch cl cn co.kr co.uk co.za com.ar com.au com.mx com.my com.ph com.pt com.sg de',
    ),
    ...each('live', 'dk fi fr hk ie in it jp nl no ru se'),
    ...list('msn.com passport.com windowslive.com'),
  ],
  // AOL's mailboxes are Yahoo's own; Yahoo Japan is another company.
  yahoo: [
    ...each(
      'yahoo',
      'com at be ca ch cl co.id co.il co.in co.kr co.nz co.th co.uk co.za com.ar com.au com.br',
    ),
    ...each(
      'yahoo',
      'com.co com.hk com.mx com.my com.pe com.ph com.sg com.tr com.tw com.ve com.vn cz de dk es fi',
    ),
    ...each('yahoo', 'fr gr hu ie in it nl no pl pt ro se'),
    ...list('myyahoo.com rocketmail.com ymail.com'),
    ...each('aol', 'com at be co.uk com.au de es fr it nl'),
    ...list('aim.com love.com netscape.net verizon.net wow.com'),
  ],
  apple: list('icloud.com mac.com me.com privaterelay.appleid.com'),
  gmx: [...each('gmx', 'at biz ch co.uk com de es eu fr info it net org us'), ...list('caramail.com gmx.tm')],
  web_de: list('web.de'),
  mail_com: list('mail.com email.com usa.com post.com europe.com consultant.com engineer.com'),
  t_online: list('t-online.de magenta.de'),
  freenet: list('freenet.de'),
  posteo: [...each('posteo', 'at be ch de eu net org'), 'posteo.co.uk'],
  mailbox_org: list('mailbox.org'),
  proton: list('proton.me protonmail.com protonmail.ch pm.me'),
  tuta: list('tuta.com tuta.io tutamail.com tutanota.com tutanota.de keemail.me'),
  fastmail: list('fastmail.com fastmail.fm'),
  zoho: list('zohomail.com zohomail.eu zohomail.in'),
  hey: list('hey.com'),
  duckduckgo: list('duck.com'),
  mozilla_relay: list('mozmail.com'),
  mail_ru: list('mail.ru bk.ru inbox.ru list.ru internet.ru xmail.ru'),
  yandex: [...each('yandex', 'ru com by kz ua com.tr'), ...list('ya.ru narod.ru')],
  rambler: list('rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru'),
  ukr_net: list('ukr.net'),
  qq: list('qq.com vip.qq.com foxmail.com'),
  netease: list('163.com vip.163.com 126.com vip.126.com yeah.net 188.com'),
  sina: list('sina.com sina.cn vip.sina.com'),
  sohu: list('sohu.com'),
  aliyun: list('aliyun.com'),
  china_mobile: list('139.com'),
  china_telecom: list('189.cn'),
  naver: list('naver.com'),
  kakao: list('daum.net hanmail.net kakao.com'),
  yahoo_japan: list('yahoo.co.jp ymail.ne.jp'),
  docomo: list('docomo.ne.jp'),
  au: list('ezweb.ne.jp au.com'),
  softbank: list('softbank.ne.jp i.softbank.jp vodafone.ne.jp'),
  nifty: list('nifty.com'),
  ocn: list('ocn.ne.jp'),
  rediff: list('rediffmail.com'),
  orange: list('orange.fr wanadoo.fr'),
  sfr: list('sfr.fr neuf.fr cegetel.net club-internet.fr numericable.fr'),
  free_fr: list('free.fr'),
  la_poste: list('laposte.net'),
  bouygues: list('bbox.fr'),
  italiaonline: list('libero.it iol.it inwind.it blu.it giallo.it virgilio.it'),
  tim: list('tim.it alice.it tin.it'),
  tiscali: list('tiscali.it'),
  bt: list('btinternet.com btopenworld.com talk21.com'),
  sky: list('sky.com'),
  virgin_media: list('virginmedia.com virgin.net ntlworld.com blueyonder.co.uk'),
  talktalk: list('talktalk.net'),
  comcast: list('comcast.net'),
  spectrum: list('charter.net roadrunner.com rr.com twc.com'),
  att: list('att.net sbcglobal.net bellsouth.net pacbell.net ameritech.net swbell.net prodigy.net snet.net'),
  cox: list('cox.net'),
  optimum: list('optonline.net'),
  earthlink: list('earthlink.net mindspring.com'),
  centurylink: list('centurylink.net q.com embarqmail.com'),
  united_online: list('juno.com netzero.net netzero.com'),
  rogers: list('rogers.com'),
  bell_canada: list('bell.net sympatico.ca'),
  shaw: list('shaw.ca'),
  videotron: list('videotron.ca'),
  telstra: list('bigpond.com bigpond.net.au telstra.com'),
  optus: list('optusnet.com.au'),
  xtra: list('xtra.co.nz'),
  uol: list('uol.com.br bol.com.br'),
  terra: list('terra.com.br'),
  ig: list('ig.com.br'),
  globo: list('globo.com globomail.com'),
  seznam: list('seznam.cz email.cz post.cz spoluzaci.cz'),
  centrum: list('centrum.cz centrum.sk'),
  wp: list('wp.pl o2.pl'),
  onet: list('onet.pl onet.eu op.pl poczta.onet.pl vp.pl autograf.pl'),
  interia: list('interia.pl interia.eu'),
  gazeta: list('gazeta.pl'),
  freemail_hu: list('freemail.hu'),
  abv: list('abv.bg'),
  ziggo: list('ziggo.nl home.nl upcmail.nl casema.nl chello.nl'),
  kpn: list('kpnmail.nl planet.nl hetnet.nl'),
  telenet: list('telenet.be'),
  proximus: list('proximus.be skynet.be'),
  bluewin: list('bluewin.ch'),
  a1: list('a1.net aon.at'),
  telia: list('telia.com'),
  sapo: list('sapo.pt'),
  walla: list('walla.com walla.co.il'),
};

const providers = new Map(
  Object.entries(MAILBOX_PROVIDERS).flatMap(([provider, domains]) =>
    domains.map((domain) => [domain, provider] as const),
  ),
);

/** Who runs the mailboxes of a domain, as recipient_domain has it; the empty text of none. */
export const mailboxProviderOf = (domain: string): string =>
  domain === '' ? '' : (providers.get(domain) ?? OTHER_PROVIDER);
