"""All of kraut's business logic: workflows and activities that act on hosts over SSH and on clusters over the Kubernetes API."""
