# Creates a tenant's KEK and log key and reads back their attributes. Uses, changes and destroys none.
#
# - "+" is one path segment, so rotate, config, trim, import and soft-delete below a key stay out of reach.
#   "transit/keys/kek-*" would include them, and would win over any deny written with "+". The price: the names of keys are
#   not limited to kek-* and log-*, only their types. Nobody may use a key of another name.
# - allowed_parameters: an exportable key, one with plaintext backup or one of another type cannot be made.

path "transit/keys/+" {
  capabilities = ["update", "read"]
  allowed_parameters = {
    "type"    = ["aes256-gcm96", "ed25519"]
    "derived" = [true]
  }
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

# Denied by default already. Said again because a deny wins over whatever other policy the token may get one day.
path "transit/export/*" {
  capabilities = ["deny"]
}

path "transit/byok-export/*" {
  capabilities = ["deny"]
}

path "transit/backup/*" {
  capabilities = ["deny"]
}

path "transit/restore*" {
  capabilities = ["deny"]
}

path "sys/audit-hash/*" {
  capabilities = ["deny"]
}
