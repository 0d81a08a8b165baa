-- no parameters; sessions and tokens that are over, for everybody
select identity.purge_expired() as purged
