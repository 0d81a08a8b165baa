-- no parameters; whether the actor may send invitations and make API keys
select app.may_hand_out() as may
