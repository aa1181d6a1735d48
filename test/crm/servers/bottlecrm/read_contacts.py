"""For each line that it is given, prints the contacts, and all states that they were in, in their order, out of the database."""

import json
import os
import sys

import psycopg

names = {"dbname": "DBNAME", "user": "DBUSER", "host": "DBHOST", "port": "DBPORT"}
address = {name: os.environ[key] for name, key in names.items()}
with psycopg.connect(**address, autocommit=True) as connection:
    for _ in sys.stdin:
        contacts = connection.execute(
            "SELECT email, custom_fields, first_name, last_name FROM contacts"
        ).fetchall()
        history = connection.execute(
            "SELECT email, custom_fields FROM contact_history ORDER BY place"
        ).fetchall()
        print(json.dumps({"contacts": contacts, "history": history}), flush=True)
