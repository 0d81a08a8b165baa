-- no parameters; deletes expired sessions and tokens of all accounts
select identity.purge_expired() as purged
