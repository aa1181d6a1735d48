"""What a new BottleCRM needs before the sink can work with it. Prints an access token of its administrator."""

import django

django.setup()

from django.contrib.auth import get_user_model
from django.db import connection

from common.models import CustomFieldDefinition, Org, PersonalAccessToken, Profile

FIELDS = {
    "email_suppression": "text",
    "email_suppression_reasons": "textarea",
    "email_suppression_version": "number",
    "email_last_delivered": "text",
    "email_last_opened": "text",
    "email_last_clicked": "text",
    # In which the CRM's own users opt somebody out.
    "no_mail": "checkbox",
}

# Each state that a contact was ever in: what is put right later shows as well.
HISTORY = """
CREATE TABLE contact_history (
    place bigserial PRIMARY KEY, email text, custom_fields jsonb
);
CREATE FUNCTION keep_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO contact_history (email, custom_fields) VALUES (NEW.email, NEW.custom_fields);
    RETURN NEW;
END $$;
CREATE TRIGGER contact_history AFTER INSERT OR UPDATE ON contacts
    FOR EACH ROW EXECUTE FUNCTION keep_contact();
"""

user = get_user_model().objects.create_superuser(email="admin@example.com", password=None)
org = Org.objects.create(name="Example")
profile = Profile.objects.create(user=user, org=org, role="ADMIN")
for key, field_type in FIELDS.items():
    CustomFieldDefinition.objects.create(
        org=org, target_model="Contact", key=key, label=key, field_type=field_type
    )
with connection.cursor() as cursor:
    cursor.execute(HISTORY)
scopes = ["contacts:read", "contacts:write", "custom-fields:read"]
token, _ = PersonalAccessToken.generate(profile=profile, name="email-events", scopes=scopes)
print(token)
