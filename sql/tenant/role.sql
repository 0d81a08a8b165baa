-- no parameters; whether the session is of the owner: only the owner restores the change log instead of writing it
select session_user = 'appointd_owner' as is_owner
