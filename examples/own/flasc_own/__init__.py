"""One plug-in of most kinds: a task, a policy, a selection and a capacity model."""
