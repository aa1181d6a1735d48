import type { CreateContactRequest, UpdateContactRequest } from '@getbrevo/brevo/contacts';
import type { Intercom } from 'intercom-client';
import type { ListMembersDeleteQuery } from 'klaviyo-api/dist/model/listMembersDeleteQuery.js';
import type { SuppressionCreateJobCreateQuery } from 'klaviyo-api/dist/model/suppressionCreateJobCreateQuery.js';
import type { blocklistedContact, ContactChange } from '../src/adapters/brevo.ts';
import type { addressSearch, OFF, offContact, suppressedSearch } from '../src/adapters/intercom.ts';
import type { listRemoval, suppressionJob } from '../src/adapters/klaviyo.ts';
import type { Agreement, Holds } from './agrees.ts';

// What the adapters' own functions make, held to what the vendors' clients take. Their classes have what is in the address beside the body.
type IntercomChange = Omit<Intercom.UpdateContactRequest, 'contact_id'>;

export type Bodies = [
  Holds<Agreement<ReturnType<typeof blocklistedContact>, CreateContactRequest>>,
  Holds<Agreement<ContactChange, Omit<UpdateContactRequest, 'identifier' | 'identifierType'>>>,
  Holds<Agreement<ReturnType<typeof offContact>, Intercom.CreateContactRequest>>,
  Holds<Agreement<typeof OFF, IntercomChange>>,
  Holds<Agreement<ReturnType<typeof addressSearch>, Intercom.SearchRequest>>,
  Holds<Agreement<ReturnType<typeof suppressedSearch>, Intercom.SearchRequest>>,
  Holds<Agreement<ReturnType<typeof suppressionJob>, SuppressionCreateJobCreateQuery>>,
  Holds<Agreement<ReturnType<typeof listRemoval>, ListMembersDeleteQuery>>,
];

/** And that a wrong one is seen: each line is one that must not pass. */
export type WrongBodies = [
  // @ts-expect-error A name that Brevo does not have.
  Holds<Agreement<{ email: string; emailBlackListed: true }, CreateContactRequest>>,
  // @ts-expect-error A text where Brevo takes a number.
  Holds<Agreement<{ unlinkListIds: readonly string[] }, UpdateContactRequest>>,
  // @ts-expect-error Intercom cannot make a contact of no name at all.
  Holds<Agreement<{ unsubscribed_from_emails: true }, Intercom.CreateContactRequest>>,
  // @ts-expect-error A text where Intercom takes true.
  Holds<Agreement<{ unsubscribed_from_emails: 'true' }, IntercomChange>>,
  // @ts-expect-error An operator that Intercom does not have.
  Holds<Agreement<{ query: { field: 'email'; operator: '=='; value: string } }, Intercom.SearchRequest>>,
  // @ts-expect-error A name in the middle that Intercom does not have.
  Holds<Agreement<{ query: { fields: 'email'; operator: '='; value: string } }, Intercom.SearchRequest>>,
  // @ts-expect-error A name in a list that Klaviyo does not have.
  Holds<Agreement<{ data: { type: 'profile'; id: string; email: string }[] }, ListMembersDeleteQuery>>,
  // @ts-expect-error A thing of another kind.
  Holds<Agreement<{ data: { type: 'list'; id: string }[] }, ListMembersDeleteQuery>>,
];
