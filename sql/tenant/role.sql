-- no parameters; whether this is the owner, as whom alone the audit log is restored and not written anew
select session_user = 'appointd_owner' as is_owner
