"""The Kubernetes plumbing (extra ``kube``): a small typed client on aiohttp, and list+watch streams.

kubernetes_asyncio serves for configuration and authentication only; its generated models and its transport are not used.
Nothing heavy is imported before a client connects.
"""
